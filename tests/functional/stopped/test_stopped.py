"""A daemon that stands still (SIGSTOP) costs a lookup nothing until the ranking expires; then the
next service answers, and har again once it goes on."""

import contextlib
import re
import signal
import sys

import harness

NAME = "api.example.com"
ANSWER = "127.0.1.1"
FROM_DNS = "192.0.2.53"
BLOCKS = 10  # of 1,000 lookups, of each kind

MEDIAN = """
import socket, statistics, sys, time
def look_up():
    began = time.perf_counter_ns()
    found = socket.getaddrinfo(sys.argv[1], None, socket.AF_INET, socket.SOCK_STREAM)
    took = time.perf_counter_ns() - began
    assert [entry[4][0] for entry in found] == [sys.argv[2]], found
    return took
look_up()  # loads the module
print(statistics.median(look_up() for _ in range(1000)))
"""

harness.require("strace")


def state(hard):
    """One letter of ps(1)."""
    with open(f"/proc/{hard.process.popen.pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def stopped(hard):
    """Inside, the daemon stands still, from the first moment to the last."""
    hard.process.popen.send_signal(signal.SIGSTOP)
    try:
        harness.wait_until(lambda: state(hard) == "T", "the daemon stopped")
        yield
        assert state(hard) == "T", "the daemon went on by itself"
    finally:
        hard.process.popen.send_signal(signal.SIGCONT)


def median():
    return float(harness.run(sys.executable, "-c", MEDIAN, NAME, ANSWER).stdout)


class Stopped(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dns = harness.Dns(FROM_DNS)

    def start(self, **top):
        server = self.server(ANSWER)
        return self.hard({NAME: {"candidates": [server.candidate], "check": harness.QUICK}}, **top)

    def system_calls(self):
        """Of one lookup in a fresh process: their names, and the lines that tell of a socket."""
        trace = self.path("trace")
        done = harness.run("strace", "-f", "-o", trace,
                           "getent", "-s", "hosts:har", "ahostsv4", NAME)
        self.assertIn(ANSWER, done.stdout)
        with open(trace, encoding="utf-8") as lines:
            calls = [line.split(maxsplit=1)[1] for line in lines]
        return ([re.match(r"\w*", call)[0] for call in calls],
                [call for call in calls if "sa_family=" in call])

    def test_same_system_calls(self):
        hard = self.start()
        names, addressed = self.system_calls()
        self.assertIn("pread64", names)
        for call in addressed:  # glibc asks for nscd, and the kernel for the families in use
            self.assertRegex(call, "nscd/socket|AF_NETLINK")
        with stopped(hard):
            self.assertEqual(self.system_calls()[0], names)

    def test_same_latency(self):
        """The best of several medians on both sides: a busy machine only ever adds."""
        hard = self.start()
        running, standing = [], []
        for _ in range(BLOCKS):
            running.append(median())
            with stopped(hard):
                standing.append(median())
        print(f"ns, daemon running {min(running):.0f}, stopped {min(standing):.0f}")
        self.assertLess(min(standing), 2 * min(running))

    def test_next_service_answers_when_the_ranking_expired(self):
        hard = self.start(max_stale="3s")
        with stopped(hard):
            self.assertEqual(harness.getent(NAME, service=None), [ANSWER])
            self.assert_answer(NAME, [FROM_DNS], service=None)
            self.assertEqual(harness.getent(NAME), [])
        self.assert_answer(NAME, [ANSWER], service=None)


harness.main()
