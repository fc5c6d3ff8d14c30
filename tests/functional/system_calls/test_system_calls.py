"""A lookup makes the system calls openat, pread64 and close alone, works where nothing else is
allowed, and survives the failure of each."""

import errno
import itertools
import os
import re
import socket

import harness

MODULE = os.path.join(harness.BUILD, "libnss_har.so.2")
ONE_LOOKUP = os.path.join(harness.BUILD, "tests/support/one_lookup")
FAILING_CALLS = os.path.join(harness.BUILD, "tests/support/failing_calls")

NAME = "answer.example.com"
IPV4, IPV6 = ["192.0.2.1", "192.0.2.2"], ["2001:db8::1"]
ADDRESSES = {"1": IPV4, "2-ipv4": IPV4, "2-ipv6": IPV6, "3-ipv4": IPV4, "3-ipv6": IPV6,
             "4": IPV4 + IPV6}  # by entry point
# name[/size of the buffer]: status, h_errno and errno at every entry point that has no answer.
NAMES = {
    NAME: None,
    "alias.example.com": None,
    "ipv4.example.com": ("NOTFOUND", "NO_DATA", "untouched"),
    "failing.example.com": ("TRYAGAIN", "TRY_AGAIN", "EAGAIN"),
    "expired.example.com": ("UNAVAIL", "NO_RECOVERY", "ESTALE"),
    "absent.example.com": ("UNAVAIL", "NO_RECOVERY", "ENOENT"),
    f"{NAME}/16": ("TRYAGAIN", "NETDB_INTERNAL", "ERANGE"),
}

# What no daemon writes at once; thousands of names make the tree three levels deep.
ROWS = f"""
insert into answer select 'expired.example.com', status, addresses, answers, alias_of, 1, weights
    from answer where name = '{NAME}';
insert into answer select 'failing.example.com', 'fail', '', answers, alias_of, expires, weights
    from answer where name = '{NAME}';
with recursive place(n) as (values(1) union all select n + 1 from place where n < 4000)
insert into answer select printf('filler%05d.example.com', n), status, addresses, answers,
    alias_of, expires, weights from place, answer where name = '{NAME}';
"""

OPEN_FLAGS = {"O_RDONLY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY"}
TRACED = re.compile(r"\d+ +(\w+)\((.*)\) += (-?\d+|\?)")
ERRORS = [errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EINTR,
          errno.ENOSYS]
EAI = {value for name, value in vars(socket).items() if name.startswith("EAI_")}

harness.require("strace", "sqlite3")


def calls_in(trace):
    """The system calls of each lookup, as [name, arguments, result]; lookups by their marks."""
    found = {}
    lookup = None
    for line in trace.splitlines():
        call = TRACED.match(line)
        if call and call[1] == "write" and call[2].startswith("-1, "):
            words = call[2].split('"')[1].split()
            lookup = found.setdefault(tuple(words[1:]), []) if words[0] == "begin" else None
        elif lookup is not None:
            lookup.append(list(call.groups()) if call else [line, "", ""])
    return found


def errno_name(text):
    return errno.errorcode[int(text)] if text.isdigit() else text


class SystemCalls(harness.TestCase):
    def setUp(self):
        super().setUp()
        host = {"candidates": IPV4 + IPV6, "selection": "ordered", "answers": 3,
                "check": {"type": "none"}}
        hard = self.hard({NAME: {**host, "aliases": ["alias.example.com"]},
                          "ipv4.example.com": {**host, "candidates": IPV4}})
        hard.stop()
        harness.run("sqlite3", harness.RANKING, ROWS)

    def tearDown(self):
        harness.set_nsswitch()
        super().tearDown()

    def look_up(self, *names, sandbox="none", under=()):
        """What every entry point says to every name, in a sandbox (one_lookup.c)."""
        done = harness.run(*under, ONE_LOOKUP, MODULE, sandbox, *names)
        calls = harness.parse_log(done.stdout)
        self.assertEqual(len(calls), len(names) * len(ADDRESSES), done.stdout)
        return calls

    def assert_answer_of(self, call):
        self.assertEqual(call["addresses"].split(), ADDRESSES[call["entry"]], call)
        self.assertEqual((call["status"], call["h_errno"], call["errnop"], call["errno"]),
                         ("SUCCESS", "NETDB_SUCCESS", "untouched", "untouched"), call)

    def assert_refused(self, call, status, h_errno, error):
        """Errors told, errno itself and all outputs as they were."""
        self.assertEqual((call["status"], call["h_errno"], errno_name(call["errnop"])),
                         (status, h_errno, error), call)
        self.assertEqual((call["errno"], call["outputs"]), ("untouched", "untouched"), call)

    def assert_unavailable(self, call, error):
        self.assert_refused(call, "UNAVAIL", "NO_RECOVERY", errno.errorcode[error])

    def assert_all_as_published(self, calls):
        for call in calls:
            refused = NAMES[call["name"]]
            if refused is None or call["name"].startswith("ipv4.") and "6" not in call["entry"]:
                wanted = ADDRESSES[call["entry"]]
                self.assertEqual(call["status"], "SUCCESS", call)
                self.assertEqual(call["addresses"].split(), [
                    address for address in wanted if refused is None or address in IPV4], call)
            else:
                self.assert_refused(call, *refused)

    # --- Which calls ----------------------------------------------------------------------------

    def trace(self, *names):
        path = self.path("trace")
        said = self.look_up(*names, under=["strace", "-f", "-s", "300", "-o", path])
        with open(path, encoding="utf-8", errors="replace") as trace:
            calls = calls_in(trace.read())
        self.assertEqual(set(calls), set(itertools.product(ADDRESSES, names)))
        return said, list(calls.values())

    def assert_opens(self, call):
        """openat of the ranking, and nothing but that. Returns the descriptor."""
        name, arguments, descriptor = call
        folder, path, flags = arguments.split(", ")
        self.assertEqual((name, folder, path), ("openat", "AT_FDCWD", f'"{harness.RANKING}"'))
        # 32-bit systems open large files by a flag.
        self.assertEqual(set(flags.split("|")) - {"O_LARGEFILE"}, OPEN_FLAGS)
        return descriptor

    def assert_open_read_close(self, calls):
        descriptor = self.assert_opens(calls[0])
        self.assertEqual([name for name, _, _ in calls[1:]],
                         ["pread64"] * (len(calls) - 2) + ["close"])
        for _, arguments, _ in calls[1:]:
            self.assertEqual(arguments.split(", ")[0], descriptor)

    def test_trace(self):
        said, lookups = self.trace(*NAMES)
        self.assert_all_as_published(said)
        for calls in lookups:
            self.assert_open_read_close(calls)
            self.assertIn(len(calls), range(3, 7), calls)
        self.assertGreater(max(map(len, lookups)), 3)  # else the tree was too small to tell

    def test_trace_without_ranking(self):
        os.unlink(harness.RANKING)
        said, lookups = self.trace(NAME)
        for call in said:
            self.assert_unavailable(call, errno.ENOENT)
        for calls in lookups:
            self.assertEqual(self.assert_opens(calls[0]), "-1")
            self.assertEqual(len(calls), 1, calls)

    def test_trace_of_damaged_ranking(self):
        """Cut, a header of zeros, and whole but for the tree: all zeros after the header."""
        with open(harness.RANKING, "rb") as file:
            good = file.read()
        for damaged in (good[:50], bytes(len(good)), good[:100] + bytes(len(good) - 100)):
            with open(harness.RANKING, "wb") as file:
                file.write(damaged)
            said, lookups = self.trace(NAME)
            for call in said:
                self.assert_unavailable(call, errno.EBADMSG)
            for calls in lookups:
                self.assert_open_read_close(calls)
                self.assertIn(len(calls), range(3, 7), calls)

    # --- Sandboxes ------------------------------------------------------------------------------

    def test_confined_to_these_calls(self):
        self.assert_all_as_published(self.look_up(*NAMES, sandbox="confined"))
        os.unlink(harness.RANKING)
        for call in self.look_up(NAME, sandbox="confined"):
            self.assert_unavailable(call, errno.ENOENT)

    def test_sandbox_that_forbids_open(self):
        for error in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            for call in self.look_up(NAME, sandbox=str(error)):
                self.assert_unavailable(call, error)

    # --- Faults ---------------------------------------------------------------------------------

    def fail_calls(self, what, *faults):
        """The lookups of failing_calls.c, none of which may crash or hang; each has an "after"."""
        done = harness.run(FAILING_CALLS, what, NAME, *map(str, faults), timeout=120)
        runs = harness.parse_log(done.stdout)
        for run in runs:
            self.assertNotIn("died", run)
        self.assertEqual(len([run for run in runs if run["nth"] == "after"]), len(runs) / 2)
        return runs

    def fail_calls_of_module(self, *faults):
        """The lookups that met a fault. All others must succeed; no descriptor may be left."""
        met = []
        for run in self.fail_calls(MODULE, *faults):
            if run["nth"] == "after" or run["call"] == "none":
                self.assert_answer_of(run)
            else:
                met.append(run)
            self.assertEqual(run.get("leaked", "no"), "no", run)
        return met

    def test_every_call_of_a_lookup_fails(self):
        met = self.fail_calls_of_module(*ERRORS)
        for run in met:
            if run["call"] == "close" or run["fault"] == str(errno.EINTR):
                self.assert_answer_of(run)
            else:
                self.assert_unavailable(run, int(run["fault"]))
        self.assertEqual({(run["entry"], run["fault"], run["call"]) for run in met},
                         set(itertools.product(ADDRESSES, map(str, ERRORS),
                                               ["openat", "pread64", "close"])))

    def test_file_ends_at_every_read(self):
        met = self.fail_calls_of_module("end")
        for run in met:
            self.assert_unavailable(run, errno.EBADMSG)
        self.assertEqual({run["entry"] for run in met}, set(ADDRESSES))
        self.assertGreaterEqual(len(met), 2 * len(ADDRESSES))

    def test_every_call_is_interrupted(self):
        met = self.fail_calls_of_module("interrupt")
        self.assertEqual([run["entry"] for run in met], list(ADDRESSES))
        for run in met:
            self.assert_answer_of(run)

    def test_every_read_is_short(self):
        met = self.fail_calls_of_module("short")
        self.assertEqual([run["entry"] for run in met], list(ADDRESSES))
        for run in met:
            self.assert_answer_of(run)

    def test_every_call_of_a_process_fails(self):
        """From the first that its first getaddrinfo makes: nsswitch.conf, the module, all of it."""
        harness.set_nsswitch("har")
        runs = self.fail_calls("getaddrinfo", *ERRORS)
        for run in runs:
            if run["code"] == "0":
                self.assertEqual(sorted(run["addresses"].split()), sorted(IPV4 + IPV6), run)
            else:
                self.assertIn(int(run["code"]), EAI, run)
        for error in ERRORS:
            met = [run for run in runs if run["fault"] == str(error) and run["nth"] != "after"]
            self.assertEqual((met[-1]["call"], met[-1]["code"]), ("none", "0"))
            if error != errno.EINTR:  # which might be tried again everywhere
                self.assertNotEqual({run["code"] for run in met}, {"0"})
            self.assertLessEqual({"openat", "pread64", "close", "other"},
                                 {run["call"] for run in met})


harness.main()
