"""harctl asks what it was told to ask, words the answers, and says what to do when there is none."""

import json
import os
import re
import shutil
import socket
import subprocess
import time

import fake_hard
import harness

NAME = "api.example.com"

WRONG_USAGE = {
    "no command": [],
    "unknown command": ["frobnicate"],
    "unknown option": ["-x", "status"],
    "unknown long option": ["status", "--nonsense"],
    "socket missing": ["status", "-s"],
    "name missing": ["explain"],
    "candidate missing": ["drain", NAME],
    "state missing": ["force", NAME, "a"],
    "surplus": ["check", NAME, "more"],
    "surplus for reload": ["reload", NAME],
    "neither up nor down": ["force", NAME, "a", "sideways"],
    "no word": ["force", NAME, "a", ""],
    "duration missing": ["drain", NAME, "a", "--for"],
    "no duration": ["drain", NAME, "a", "--for", "5 parsecs"],
    "no whole seconds": ["drain", NAME, "a", "--for", "1.5s"],
    "no time": ["drain", NAME, "a", "--for", "0s"],
    "too long": ["drain", NAME, "a", "--for", "366d"],
    "for with status": ["status", "--for", "1h"],
    "failing with explain": ["explain", "a", "--failing"],
    "failing with JSON": ["status", "-f", "-j"],
    "reason with auto": ["auto", NAME, "a", "--reason", "why"],
    "long reason": ["drain", NAME, "a", "--reason", "x" * 201],
    "not UTF-8": ["explain", b"\xff"],
}

REQUESTS = [
    (["status"], {"command": "status", "names": []}),
    (["status", "a", "b"], {"command": "status", "names": ["a", "b"]}),
    (["explain", "a"], {"command": "explain", "name": "a"}),
    (["check", "a"], {"command": "check", "name": "a"}),
    (["drain", "a", "b"], {"command": "drain", "name": "a", "candidate": "b"}),
    (["drain", "a", "b", "--for", "365d", "--reason", 'é"'],
     {"command": "drain", "name": "a", "candidate": "b", "for_s": 365 * 86400, "reason": 'é"'}),
    (["force", "--for=90s", "a", "b", "down"],
     {"command": "force", "name": "a", "candidate": "b", "state": "down", "for_s": 90}),
    (["force", "a", "b", "up", "--reason", "test"],
     {"command": "force", "name": "a", "candidate": "b", "state": "up", "reason": "test"}),
    (["auto", "a", "b"], {"command": "auto", "name": "a", "candidate": "b"}),
    (["reload"], {"command": "reload"}),
]

NOTE = f"{NAME}: lettré is drained for another 58m (upgrade); its checks say up\n"

STATUS = f"""\
HOST, CANDIDATE  ADDRESS           STATE    SINCE  LATENCY  SHARE  REASON
api.example.com
  a              192.0.2.1:80      up         62m   12.3ms   100%  ok
  lettré         [2001:db8::2]:80  drained    59s   1500ms     0%  ok
  c.example.net  -                 unknown      -        -      -  -
{NOTE}"""

# Labels that are addresses, and two families that each have their answers.
PLAIN = [{**fake_hard.A, "candidate": "192.0.2.1"},
         {**fake_hard.A, "candidate": "2001:db8::2", "address": "2001:db8::2"},
         {**fake_hard.A, "candidate": "192.0.2.3", "address": "192.0.2.3", "state": "down",
          "class": "down", "reason": "connect-refused", "share": 0}]
PLAIN_STATUS = """\
HOST, CANDIDATE  ADDRESS           STATE  SINCE  LATENCY    SHARE  REASON
api.example.com  192.0.2.1:80      up       62m   12.3ms  100% v4  ok
                 [2001:db8::2]:80  up       62m   12.3ms  100% v6  ok
                 192.0.2.3:80      down     62m   12.3ms    0% v4  connect-refused
"""

EXPLAIN = """\
api.example.com answers a (192.0.2.1) first: up for 62m, latency 12.3ms; selection best_rtt.
Next is lettré (2001:db8::2), 1.5ms faster.
It takes over when it is faster by 10ms, but not within the next 12s (switch_hold).
lettré is drained for another 58m.
"""


class HarctlClient(harness.TestCase):
    def fake(self, answer=None, **options):
        path = self.path("control")
        fake = fake_hard.FakeHard(path, answer, **options)
        self.addCleanup(fake.close)
        return fake

    def harctl(self, *arguments, status=0, socket_path=None, **options):
        """Runs it to its end. Returns standard output and standard error. status None: 0 or 1."""
        command = [harness.HARCTL, *(["-s", socket_path] if socket_path else []), *arguments]
        done = subprocess.run(command, capture_output=True, check=False,
                              timeout=harness.DEADLINE_S, **options)
        output, errors = done.stdout.decode(), done.stderr.decode("utf-8", "replace")
        self.assertIn(done.returncode, (0, 1) if status is None else (status,), output + errors)
        return output, errors

    def ask(self, answer, *arguments, status=0):
        """Standard output of a command that gets this answer."""
        output, errors = self.harctl(*arguments, status=status,
                                     socket_path=self.fake(answer).path)
        self.assertEqual(errors, "")
        return output

    def refused(self, answer, *arguments):
        """Standard error of a command that gets this answer."""
        output, errors = self.harctl(*arguments, status=1, socket_path=self.fake(answer).path)
        self.assertEqual(output, "")
        return errors

    # --- The command line ---------------------------------------------------------------------

    def test_help_and_version(self):
        output, errors = self.harctl("-h")
        self.assertEqual(errors, "")
        for word in ("status", "explain", "check", "drain", "force", "auto", "reload", "--for",
                     "--reason", "-s", "-j", "-V", "-h"):
            self.assertIn(f"\n  {word} ", output)
        output, errors = self.harctl("-V")
        self.assertRegex(output, r"^harctl \d+\.\d+")

    def test_wrong_usage(self):
        fake = self.fake(fake_hard.STATUS)
        for label, arguments in WRONG_USAGE.items():
            with self.subTest(label):
                output, errors = self.harctl(*arguments, status=2, socket_path=fake.path)
                self.assertEqual(output, "")
                self.assertRegex(errors, r"^harctl: .+\nTry 'harctl -h'\.\n$")
        self.assertEqual(fake.requests, [])

    def test_wrong_counts_say_what_it_takes(self):
        for arguments, wanted in ((["explain"], "explain: a name is missing; it takes one name"),
                                  (["drain", NAME], "drain: a candidate is missing; "
                                                    "it takes a name and a candidate"),
                                  (["force", NAME, "a"],
                                   "force: up or down is missing; "
                                   "it takes a name, a candidate, and up or down"),
                                  (["explain", "a", "b"], "explain takes one name"),
                                  (["auto", "a", "b", "c"], "auto takes a name and a candidate"),
                                  (["reload", "a"], "reload takes no argument")):
            _, errors = self.harctl(*arguments, status=2)
            self.assertEqual(errors, f"harctl: {wanted}\nTry 'harctl -h'.\n")

    def test_requests(self):
        fake = self.fake({"ok": True})
        for arguments, request in REQUESTS:
            with self.subTest(" ".join(arguments)):
                fake.requests.clear()
                self.harctl("-j", *arguments, socket_path=fake.path)
                self.harctl(*arguments, "-j", "-s", fake.path)
                self.assertEqual(fake.requests, [request, request])

    # --- Answers ------------------------------------------------------------------------------

    def test_status(self):
        self.assertEqual(self.ask(fake_hard.STATUS, "status"), STATUS)

    def test_status_of_what_is_ill(self):
        failing = {**fake_hard.HOST, "failing": True, "answer": ["192.0.2.1", "2001:db8::2"]}
        output = self.ask({**fake_hard.STATUS, "hosts": [failing]}, "status", status=1)
        self.assertEqual(output.replace(f"{NAME}: nobody is eligible; failure_mode all answers "
                                        "192.0.2.1, 2001:db8::2\n", ""), STATUS)
        for keys, words in (
                ({"status": "fail", "failure_mode": "none"},
                 "failure_mode none: programs get an error"),
                ({"status": "forward", "failure_mode": "forward"},
                 "failure_mode forward: the next service or the upstreams are asked"),
                ({"failure_mode": "addresses", "answer": ["192.0.2.7"]},
                 "the addresses of failure_mode are answered: 192.0.2.7")):
            output = self.ask({**fake_hard.STATUS, "hosts": [{**failing, **keys}]}, "status",
                              status=1)
            self.assertIn(f"\n{NAME}: nobody is eligible; {words}\n", output)
        output = self.ask({**fake_hard.STATUS, "local_fault": "no route"}, "status", status=1)
        self.assertTrue(output.startswith("This machine is cut off (no route): "))
        cut_off = {**fake_hard.HOST, "local_fault": "no route"}
        self.ask({**fake_hard.STATUS, "hosts": [cut_off]}, "status", status=1)
        restored = {**fake_hard.HOST, "restored": True}
        output = self.ask({**fake_hard.STATUS, "hosts": [restored]}, "status")
        self.assertIn(f"\n{NAME}: answers as before the restart", output)
        unknown = {**fake_hard.HOST, "names": [{"candidate": "n", "state": "no-such-name",
                                                "problem": "has no address: why"}]}
        output = self.ask({**fake_hard.STATUS, "hosts": [unknown]}, "status")
        self.assertIn(f"\n{NAME}: n has no address: why\n", output)

    def test_status_fits_a_terminal(self):
        host = {**fake_hard.HOST, "endpoints": PLAIN}
        self.assertEqual(self.ask({**fake_hard.STATUS, "hosts": [host]}, "status"), PLAIN_STATUS)
        alone = [{**endpoint, "share": float(i == 1)} for i, endpoint in enumerate(PLAIN)]
        output = self.ask({**fake_hard.STATUS, "hosts": [{**host, "endpoints": alone}]}, "status")
        self.assertNotRegex(output, "% v[46]")
        longest = [{**fake_hard.A, "candidate": "backend-1", "address": "192.0.2.10",
                    "rtt_us": 999, "since_s": 7199, "reason": "connect-refused"}]
        output = self.ask({**fake_hard.STATUS, "hosts": [{**host, "endpoints": longest}]}, "status")
        self.assertLess(max(map(len, output.splitlines())), 80, output)

    def test_those_for_which_something_is_wrong(self):
        well = {**fake_hard.HOST, "host": "well", "endpoints": PLAIN[:2],
                "names": [{"candidate": "n", "state": "resolved", "problem": None}]}
        problem = [{"candidate": "n", "state": "partly", "problem": "keeps"}]
        ill = [{"failing": True}, {"restored": True}, {"endpoints": PLAIN},
               {"endpoints": [{**fake_hard.A, "class": "slow"}]}, {"names": problem},
               {"endpoints": [fake_hard.C]}, {"endpoints": [fake_hard.B]}]
        for keys in ill:
            with self.subTest(keys):
                answer = {**fake_hard.STATUS, "hosts": [well, {**well, **keys, "host": "ill"}]}
                output = self.ask(answer, "status", "--failing", status=None)
                self.assertIn("\nill", output)
                self.assertNotIn("\nwell", output)
                self.assertTrue(output.splitlines()[-1].startswith("2 hosts, "), output)
        self.assertEqual(self.ask({**fake_hard.STATUS, "hosts": [well]}, "status", "-f"),
                         "1 host, 0 with nobody eligible, 0 endpoints down, 0 overrides\n")

    def test_a_summary_of_many(self):
        twice = {**fake_hard.B, "address": "192.0.2.9"}
        hosts = [{**fake_hard.HOST, "failing": True, "endpoints": PLAIN + [fake_hard.B, twice]}] * 4
        answer = {**fake_hard.STATUS, "hosts": hosts}
        self.assertNotIn("4 hosts", self.ask(answer, "status", status=1))
        hosts.append({**fake_hard.HOST, "endpoints": PLAIN[:1]})
        self.assertEqual(self.ask(answer, "status", status=1).splitlines()[-1],
                         "5 hosts, 4 with nobody eligible, 4 endpoints down, 4 overrides")

    def test_states_and_addresses(self):
        def cell(column, **keys):
            host = {**fake_hard.HOST, "endpoints": [{**fake_hard.A, **keys}]}
            output = self.ask({**fake_hard.STATUS, "hosts": [host]}, "status")
            return re.split("  +", output.splitlines()[2].strip())[column]

        def state(**keys):
            return cell(2, **keys)
        forced = {"kind": "up", "expires_s": None, "reason": None}
        self.assertEqual(state(state="down", override=forced), "forced up")
        self.assertEqual(state(override={**forced, "kind": "down", "expires_s": 45}), "forced down")
        self.assertEqual(state(**{"class": "slow"}), "slow")
        self.assertEqual(cell(1, port=0), "192.0.2.1")

    def test_ages_and_latencies(self):
        def cells(since_s, rtt_us):
            endpoint = {**fake_hard.A, "since_s": since_s, "rtt_us": rtt_us}
            host = {**fake_hard.HOST, "endpoints": [endpoint]}
            output = self.ask({**fake_hard.STATUS, "hosts": [host]}, "status")
            return output.splitlines()[2].split()[3:5]
        self.assertEqual(cells(0, 0), ["0s", "0s"])
        self.assertEqual(cells(119, 999), ["119s", "0.999ms"])
        self.assertEqual(cells(120, 9994), ["2m", "9.99ms"])
        self.assertEqual(cells(7199, 9995), ["119m", "10ms"])
        self.assertEqual(cells(7200, 123456), ["2h", "123ms"])
        self.assertEqual(cells(172799, 2000000), ["47h", "2s"])
        self.assertEqual(cells(172800, -1), ["2d", "0.001ms"])
        self.assertEqual(cells("x", []), ["-", "-"])

    def test_explain(self):
        self.assertEqual(self.ask(fake_hard.EXPLAIN, "explain", NAME), EXPLAIN)
        alone = {**fake_hard.EXPLAIN, "runner_up": None, "why": []}
        self.assertEqual(self.ask(alone, "explain", NAME), EXPLAIN.splitlines(True)[0])
        slower = {**fake_hard.EXPLAIN, "gap_us": 1500, "held_s": None}
        self.assertIn("1.5ms slower.\nIt takes over when it is faster by 10ms.\n",
                      self.ask(slower, "explain", NAME))
        outranked = {**fake_hard.EXPLAIN, "gap_us": None, "needed_us": None}
        self.assertIn("Next is lettré (2001:db8::2).\nlettré is",
                      self.ask(outranked, "explain", NAME))

    def test_in_a_rotation_nobody_is_next(self):
        half = [{**fake_hard.A, "share": 0.5}, {**fake_hard.B, "share": 0.5}]
        host = {**fake_hard.HOST, "selection": "group_rtt_rr", "endpoints": half}
        answer = {**fake_hard.EXPLAIN, "host": host, "gap_us": None, "needed_us": None, "why": []}
        self.assertEqual(self.ask(answer, "explain", NAME),
                         f"{NAME} answers a (192.0.2.1) among others: up for 62m, "
                         "latency 12.3ms; selection group_rtt_rr.\n")
        host["endpoints"] = [fake_hard.A, fake_hard.B]
        self.assertRegex(self.ask(answer, "explain", NAME), r" first: .*\nNext is lettré ")

    def test_explain_what_is_ill(self):
        host = {**fake_hard.HOST, "failing": True}
        answer = {**fake_hard.EXPLAIN, "host": host, "winner": None, "runner_up": None, "why": []}
        self.assertEqual(self.ask(answer, "explain", NAME, status=1),
                         f"{NAME} answers 192.0.2.1.\n")
        answer = {**fake_hard.EXPLAIN, "local_fault": "no carrier"}
        self.assertEqual(self.ask(answer, "explain", NAME, status=1),
                         "This machine is cut off (no carrier): the ranking is frozen.\n" + EXPLAIN)

    def test_check(self):
        self.assertEqual(self.ask(fake_hard.CHECK, "check", NAME),
                         "a  192.0.2.1:80  up  12.3ms  ok  status 200\n")
        bad = {**fake_hard.RESULT, "candidate": "b", "reason": "connect-refused", "detail": None,
               "state": "down", "total_us": None}
        answer = {**fake_hard.CHECK, "results": [fake_hard.RESULT, bad]}
        self.assertEqual(self.ask(answer, "check", NAME, status=1),
                         "a  192.0.2.1:80  up    12.3ms  ok               status 200\n"
                         "b  192.0.2.1:80  down       -  connect-refused\n")
        nameless = {**bad, "candidate": "n", "address": None, "reason": "dns-failed",
                    "detail": "no such name"}
        self.assertEqual(self.ask({**fake_hard.CHECK, "results": [nameless]}, "check", NAME,
                                  status=1), "n  -  down  -  dns-failed  no such name\n")
        self.assertEqual(self.ask({**fake_hard.CHECK, "results": []}, "check", NAME),
                         "nothing to check (check none)\n")

    def test_overrides(self):
        drained = self.ask(fake_hard.OVERRIDE, "drain", NAME, "a")
        self.assertRegex(drained, rf"^{NAME}: a is drained for 2h, until (\d{{4}}-\d\d-\d\d )?"
                                  r"\d\d:\d\d; it answers 192.0.2.2, 2001:db8::2\n$")
        endless = {"kind": "down", "expires_s": None, "reason": "disk"}
        self.assertEqual(self.ask({**fake_hard.OVERRIDE, "override": endless}, "force", NAME, "a",
                                  "down"),
                         f"{NAME}: a is forced down until `harctl auto {NAME} a` (disk); "
                         "it answers 192.0.2.2, 2001:db8::2\n")
        self.assertEqual(self.ask({**fake_hard.OVERRIDE, "override": None}, "auto", NAME, "a"),
                         f"{NAME}: a is what its checks say; it answers 192.0.2.2, 2001:db8::2\n")

    def test_the_time_of_an_end_is_local(self):
        """In a zone that is twelve hours off it is another one."""
        def until(zone):
            output, _ = self.harctl("drain", NAME, "a", socket_path=self.fake(answer).path,
                                    env={**os.environ, "TZ": zone})
            return re.search("until (.*);", output)[1]
        answer = {**fake_hard.OVERRIDE, "override": {"kind": "drain", "expires_s": 5 * 86400,
                                                     "reason": None}}
        before = time.time()
        found, after = until("XXX-12"), time.time()
        self.assertIn(found, [time.strftime("%Y-%m-%d %H:%M",
                                            time.gmtime(now + 12 * 3600 + 5 * 86400))
                              for now in (before, after)])

    def test_who_drains_the_last_is_warned(self):
        answer = {**fake_hard.OVERRIDE, "failing": True}
        for arguments, status in ((["drain", NAME, "a"], 1), (["force", NAME, "a", "down"], 1),
                                  (["auto", NAME, "a"], 0)):
            output, errors = self.harctl(*arguments, status=status,
                                         socket_path=self.fake(answer).path)
            self.assertRegex(output, f"^{NAME}: a is drained for 2h, until [^;]*\n$")
            self.assertEqual(errors, f"WARNING: {NAME}: nobody is eligible; failure_mode all "
                                     "answers 192.0.2.2, 2001:db8::2\n")
            self.harctl("-j", *arguments, status=status, socket_path=self.fake(answer).path)

    def test_reload(self):
        self.assertEqual(self.ask(fake_hard.RELOAD, "reload"),
                         "reloaded (hosts: 2, candidates: 5)\n")
        moved = {**fake_hard.RELOAD, "control_socket": "/x"}
        self.assertEqual(self.ask(moved, "reload"), "reloaded (hosts: 2, candidates: 5)\n"
                                                    "control_socket is /x: give it with -s\n")
        path = self.path("here")
        fake = fake_hard.FakeHard(path, {**moved, "control_socket": path})
        self.addCleanup(fake.close)
        self.assertNotIn("control_socket", self.harctl("reload", socket_path=path)[0])
        refused = {"ok": False, "error": "refused; the old configuration stays in force",
                   "errors": ["har.json:2:1: ']' expected", "har.json: hostz: unknown"]}
        self.assertEqual(self.refused(refused, "reload"),
                         "harctl: refused; the old configuration stays in force\n"
                         "har.json:2:1: ']' expected\nhar.json: hostz: unknown\n")

    def test_json_is_the_answer_as_it_came(self):
        line = json.dumps(fake_hard.STATUS)
        self.assertEqual(self.ask(fake_hard.STATUS, "-j", "status"), line + "\n")
        refused = {"ok": False, "error": "no"}
        self.assertEqual(self.ask(refused, "-j", "check", NAME, status=1),
                         json.dumps(refused) + "\n")
        failing = {**fake_hard.STATUS, "hosts": [{**fake_hard.HOST, "failing": True}]}
        self.ask(failing, "-j", "status", status=1)

    def test_an_unknown_name(self):
        error = "x: not configured; `harctl status` lists the names"
        self.assertEqual(self.refused({"ok": False, "error": error}, "explain", "x"),
                         f"harctl: {error}\n")

    def test_nothing_reaches_the_terminal_raw(self):
        host = {**fake_hard.HOST, "host": "a\x1b[2J", "restored": True,
                "endpoints": [{**fake_hard.A, "candidate": "b\u009b\x7f\n"}]}
        output = self.ask({**fake_hard.STATUS, "hosts": [host], "local_fault": "\a"}, "status",
                          status=1)
        explained = self.ask({**fake_hard.EXPLAIN, "host": host, "why": ["\x1b]0;x\a"],
                              "winner": {"candidate": "\x1b", "address": "\b"}}, "explain", NAME)
        errors = self.refused({"ok": False, "error": "\x1b", "errors": ["\x1b"]}, "reload")
        for text in (output, explained, errors):
            self.assertIn("\\x1b", text)
            self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]")
        self.assertIn("b\\x9b\\x7f\\x0a", output)

    def test_a_full_disk_is_a_failure(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([harness.HARCTL, "-s", self.fake(fake_hard.STATUS).path, "status"],
                                  stdout=full, stderr=subprocess.PIPE, check=False, text=True,
                                  timeout=harness.DEADLINE_S)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "harctl: standard output: No space left on device\n")

    # --- No answer ----------------------------------------------------------------------------

    def unanswered(self, path, wanted, **options):
        output, errors = self.harctl("status", status=1, socket_path=path, **options)
        self.assertEqual(output, "")
        self.assertRegex(errors, rf"^harctl: {path}: {wanted}\n$")

    def test_no_daemon(self):
        missing, stale, folder = self.path("missing"), self.path("stale"), self.path("folder")
        self.unanswered(missing, "there is no such socket: start hard, .* with -s")
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(stale)
        self.unanswered(stale, "nobody answers: start hard, .* with -s")
        os.mkdir(folder)
        self.unanswered(folder, "nobody answers: start hard, .* with -s")
        self.unanswered(folder + "/" + "x" * 108, "too long for the path of a socket")

    def test_a_daemon_that_does_not_answer(self):
        """As one that was stopped: the kernel lets us in, and nobody comes."""
        path = self.path("silent")
        with socket.socket(socket.AF_UNIX) as silent:
            silent.bind(path)
            silent.listen()
            self.unanswered(path, "hard does not answer: try again, or look into its log")

    def test_the_default_socket(self):
        output, _ = self.harctl("-h")
        self.assertIn(f"[{os.path.dirname(harness.RANKING)}/control.sock]", output)

    def test_no_permission(self):
        """As a member of no group of the socket; a folder that all may enter, so that it is the
        socket that forbids."""
        fake = self.fake(fake_hard.STATUS)
        nobody = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        program = self.path("harctl")  # the build folder may be closed to others
        shutil.copy(harness.HARCTL, program)

        def refused():
            done = subprocess.run([program, "-s", fake.path, "status"], capture_output=True,
                                  check=False, text=True, timeout=harness.DEADLINE_S, **nobody)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            return done.stderr
        self.assertEqual(refused(),
                         f"harctl: {fake.path}: permission denied: run harctl as root\n")
        os.chown(fake.path, 0, 1)
        self.assertEqual(refused(), f"harctl: {fake.path}: permission denied: run harctl as root "
                                    "or as a member of group daemon\n")
        self.assertEqual(fake.requests, [])

    def test_answers_that_are_none(self):
        for answer, wanted in ((b"", "hard closed the connection without an answer: .*"),
                               (b'{"ok": true', "hard closed the connection without an .*")):
            self.unanswered(self.fake(answer).path, wanted)
        for answer in (b"\n", b"{}\n", b"[]\n", b"\xff\n", b'{"ok": 1}\n'):
            with self.subTest(answer):
                self.assertEqual(self.refused(answer, "explain", NAME),
                                 "harctl: hard gave an answer that harctl does not know\n")

    def test_an_answer_that_lacks_everything(self):
        for command in (["status"], ["explain", NAME], ["check", NAME], ["drain", NAME, "a"],
                        ["auto", NAME, "a"], ["reload"]):
            for keys in ({}, {"hosts": 7, "host": 7, "results": 7, "override": 7},
                         {"hosts": [7, {}], "host": {}, "results": [7, {}], "override": {}}):
                with self.subTest(command, keys=keys):
                    self.harctl(*command, status=None,
                                socket_path=self.fake({"ok": True, **keys}).path)


harness.main()
