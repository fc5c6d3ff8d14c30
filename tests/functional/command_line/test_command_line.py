"""hard's options and exit statuses; a bad configuration is refused with every error in it."""

import json
import os
import signal
import subprocess

import harness

GOOD = {"hosts": {"api.example.com": {"candidates": ["192.0.2.7"]}}}


def with_host(**keys):
    return {"hosts": {"api.example.com": {"candidates": ["192.0.2.7"], **keys}}}


# What is wrong, and what must be said of it (a regular expression) after "FILE".
REFUSED = {
    "truncated": ('{"hosts": {\n  "api', r":2:\d+: "),
    "not an object": ("[]", r": found an? (empty )?array.*; allowed: an object"),
    "unknown key": ({"hostz": {}}, r': hostz: .*did you mean "?hosts'),
    "no candidates": (with_host(candidates=[]), r": hosts.*candidates: found"),
    "no address": (with_host(candidates=["192.0.2.256"]), r': .*candidates\[0\].*"192\.0\.2\.256"'),
    "out of range": (with_host(answers=17), r": .*answers: found 17; allowed: .*1 to 16"),
    "wrong type": (with_host(answers="two"), r': .*answers: found "two"; allowed: '),
    "no duration": (with_host(check={"interval": "5 parsecs"}),
                    r': .*check\.interval: found "5 parsecs"; allowed: '),
    "header with a line break": (with_host(check={"headers": {"X-A": "1\r\nX-B: 2"}}),
                                 r": .*headers.*X-A"),
    "missing ca_file": (with_host(check={"type": "https", "tls": {"ca_file": "/nowhere"}}),
                        r": .*ca_file: found .*/nowhere"),
    "port missing": (with_host(check={"type": "tcp"}), r": .*check\.port: missing"),
    "long name": ({"hosts": {"a." * 127 + "a": {"candidates": ["192.0.2.7"]}}}, r": hosts.*253"),
    "alias given twice": ({"hosts": {
        "api.example.com": {"candidates": ["192.0.2.7"], "aliases": ["WWW.example.com."]},
        "www.example.com": {"candidates": ["192.0.2.7"]}}}, r": .*www\.example\.com"),
}


class CommandLine(harness.TestCase):
    def config(self, content):
        path = self.path("config") + ".json"
        harness.write(path, content if isinstance(content, str) else json.dumps(content))
        return path

    def hard(self, *options, status):
        """Runs it to its end. Returns standard output and standard error."""
        done = harness.run(harness.HARD, *options, check=False, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def test_help_and_version(self):
        output, errors = self.hard("-h", status=0)
        self.assertEqual(errors, "")
        for option in ("-c", "-t", "-T", "-v", "-V", "-h"):
            self.assertIn(f"\n  {option} ", output)
        output, errors = self.hard("-V", status=0)
        self.assertRegex(output, r"^hard \d+\.\d+")

    def test_a_fifo_in_hosts_d_is_no_trap(self):
        path = self.config(GOOD)
        folder = os.path.join(os.path.dirname(path), "hosts.d")
        os.mkdir(folder)
        os.mkfifo(f"{folder}/a.json")
        _, errors = self.hard("-t", "-c", path, status=1)
        self.assertIn("hosts.d/a.json: not a regular file", errors)

    def test_wrong_usage(self):
        for options in (["-x"], ["--nonsense"], ["-c"], ["surplus"], ["-t", "-T"]):
            with self.subTest(" ".join(options)):
                output, errors = self.hard(*options, status=2)
                self.assertEqual(output, "")
                self.assertRegex(errors, r"(?s)^hard: .*hard -h")

    def test_good_configuration(self):
        path = self.config(GOOD)
        output, errors = self.hard("-t", "-c", path, status=0)
        self.assertTrue(output.startswith(path), output)
        self.assertEqual(errors, "")

    def test_dump_is_complete_and_reads_back(self):
        output, _ = self.hard("-T", "-c", self.config(GOOD), status=0)
        dumped = json.loads(output)
        host = dumped["hosts"]["api.example.com"]
        self.assertEqual(dumped["max_stale"], "10m")
        self.assertEqual(host["selection"], "best_rtt")
        again, _ = self.hard("-T", "-c", self.config(output), status=0)
        self.assertEqual(again, output)

    def test_refused_configurations(self):
        for label, (content, message) in REFUSED.items():
            with self.subTest(label):
                path = self.config(content)
                output, errors = self.hard("-t", "-c", path, status=1)
                self.assertEqual(output, "")
                self.assertRegex(errors, f"(?m)^{path}{message}")
                self.assertEqual(self.hard("-c", path, status=1), ("", errors))

    def test_every_error_is_reported(self):
        path = self.config(with_host(answers=0, ttl="1y", selecton="ordered",
                                     check={"port": 70000, "rise": -1}))
        _, errors = self.hard("-t", "-c", path, status=1)
        for key in ("answers", "ttl", "selecton", r"check\.port", r"check\.rise"):
            self.assertRegex(errors, f"(?m)^{path}: .*{key}: ")
        self.assertEqual(len(errors.splitlines()), 5)

    def test_name_in_two_files(self):
        path = self.config(GOOD)
        folder = f"{self.folder}/hosts.d"
        os.mkdir(folder)
        harness.write(f"{folder}/more.json", json.dumps(GOOD["hosts"]))
        _, errors = self.hard("-t", "-c", path, status=1)
        for wanted in (path, "more.json", "api.example.com"):
            self.assertIn(wanted, errors)

    def test_unreadable_files(self):
        missing, folder = self.path("missing"), self.path("folder")
        os.mkdir(folder)
        for path, why in ((missing, os.strerror(2)), (folder, os.strerror(21))):
            for options in (["-t"], ["-T"], []):
                with self.subTest(why, options=options):
                    output, errors = self.hard(*options, "-c", path, status=1)
                    self.assertEqual(output, "")
                    self.assertRegex(errors, f"^{path}: .*{why}")

    def test_configuration_folder_is_the_default(self):
        output, _ = self.hard("-h", status=0)
        self.assertIn(f"[{os.environ['HAR_SYSCONFDIR']}/har/har.json]", output)

    def test_signals_stop_it(self):
        places = ("ranking_db", "state_db", "control_socket")  # not those of the machine
        path = self.config({**{key: f"{self.folder}/{key}" for key in places}, **GOOD})
        for number in (signal.SIGTERM, signal.SIGINT):
            daemon = harness.Process([harness.HARD, "-c", path], self.path("log"))
            self.addCleanup(daemon.kill)
            daemon.wait_ready(lambda: os.path.exists(f"{self.folder}/ranking_db"))
            daemon.kill(number)
            self.assertEqual(daemon.popen.returncode, 0)
            self.assertIn("event=stop", daemon.log_text())
            os.unlink(f"{self.folder}/ranking_db")


harness.main(machine=False)
