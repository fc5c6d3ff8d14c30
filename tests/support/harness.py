"""What every functional test stands on: a small machine of its own, with har installed on it.

harness.main() runs the test again under unshare(1): own mounts, own network, own processes. There
/run is empty, /etc is a writable copy whose nsswitch.conf names har, the folder of the compiled-in
ranking is private, and every port of 127.0.0.0/8, 192.0.2.1 and 2001:db8::1 to ::3 is free. Nothing
that a test does there reaches the machine outside, and all of it ends with the test.

    import harness

    class Story(harness.TestCase):
        def test_it(self):
            server = self.server("127.0.1.1")
            hard = self.hard({"api.example.com": {"candidates": [server.candidate]}})
            ...

    harness.main()

Needs root for the namespaces; without it the test is skipped (exit status 77). A test that looks
at files or runs commands alone ends in harness.main(machine=False) and needs no root. machine.py
holds the machine, servers.py what is started in it beside the daemon.
"""

import faulthandler
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import unittest

# Tests use these through this module.
from machine import (BUILD, CONTROL, DEADLINE_S, IPV6, RANKING, STATE, enter, furnish, have_ipv6, make,
                     make_private, require, run, set_nsswitch, wait_until, write)
from servers import Authority, Dns, NameServer, Nginx, Process, Server

HARD = os.path.join(BUILD, "hard/hard")
HARCTL = os.path.join(BUILD, "harctl/harctl")
LOOKUP_CLIENT = os.path.join(BUILD, "tests/support/lookup_client")
STORY_S = 900  # more than any takes, HAR_LONG included
QUICK = {"interval": "200ms", "timeout": "5s"}  # a check; a busy machine is no dead server

# --- The daemon -------------------------------------------------------------------------------

PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)')
ESCAPED = re.compile(r'\\(["\\])')


def parse_log(text):
    """One dict a line of key=value."""
    return [{key: ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
             for key, value in PAIR.findall(line)}
            for line in text.splitlines()]


class Hard:
    """The daemon, running in the foreground on a configuration file of its own.

    through: a command that execs it, such as env(1) with its variables."""

    def __init__(self, folder, config, *options, through=()):
        os.makedirs(folder)
        self.folder = folder
        self.config_path = f"{folder}/har.json"
        self.options = options
        self.through = through
        self.configure(config)
        self.start()

    def configure(self, config):
        """Writes the file; reload() tells the daemon. A text is written as it is."""
        text = config if isinstance(config, str) else json.dumps(config, indent=2)
        write(self.config_path, text)

    def start(self, wait_ready=True):
        self.expected_exit = 0
        notify_path = f"{self.folder}/notify"
        if os.path.exists(notify_path):
            os.unlink(notify_path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(notify_path)
            notify.setblocking(False)
            self.process = Process([*self.through, HARD, "-c", self.config_path, *self.options],
                                   f"{self.folder}/log",
                                   env={**os.environ, "NOTIFY_SOCKET": notify_path})
            if wait_ready:
                self.process.wait_ready(lambda: self._is_ready(notify))

    @staticmethod
    def _is_ready(notify):
        try:
            return b"READY=1" in notify.recv(4096).split(b"\n")
        except BlockingIOError:
            return False

    def reload(self):
        self.process.popen.send_signal(signal.SIGHUP)

    def kill(self):
        """As a crash would: at once, without a word."""
        self.process.kill()
        self.expected_exit = -signal.SIGKILL

    def stop(self):
        """As an operator would. The exit status must be what it should."""
        self.process.kill(signal.SIGTERM)
        status = self.process.popen.returncode
        if status != self.expected_exit:
            raise AssertionError(f"hard ended with {status}, not {self.expected_exit}")

    def events(self, **wanted):
        """What was logged so far and has all these values."""
        return [event for event in parse_log(self.process.log_text())
                if all(event.get(key) == value for key, value in wanted.items())]

    def wait_event(self, count=1, deadline_s=DEADLINE_S, **wanted):
        """Waits until the log holds so many such lines. Returns the last one."""
        return wait_until(lambda: len(self.events(**wanted)) >= count and self.events(**wanted),
                          f"{count} log lines with {wanted}", deadline_s)[-1]


# --- Questions --------------------------------------------------------------------------------


def getent(name, service="har"):
    """The addresses that getaddrinfo gives, in order; none when the name does not resolve.

    service: asked alone (getent -s), or None for what nsswitch.conf says."""
    only = ["-s", f"hosts:{service}"] if service else []
    done = run("getent", *only, "ahosts", name, check=False)
    if done.returncode not in (0, 2):
        raise AssertionError(f"getent {name}: exit {done.returncode}\n{done.stdout}")
    return [line.split()[0] for line in done.stdout.splitlines() if "STREAM" in line]


RESOLVE = """
import json, socket, sys
try:
    found = socket.getaddrinfo(sys.argv[1], None, int(sys.argv[2]), socket.SOCK_STREAM)
    print(json.dumps([entry[4][0] for entry in found]))
except socket.gaierror as error:
    print(error.errno)
"""


def getaddrinfo(name, family=socket.AF_UNSPEC):
    """What a program gets through nsswitch.conf: addresses in order, or a code like EAI_AGAIN."""
    return json.loads(run(sys.executable, "-c", RESOLVE, name, str(int(family))).stdout)


def look_up(call, name, *more, program=(LOOKUP_CLIENT,), **options):
    """What tests/support/lookup_client prints; it crashes or hangs: the test fails."""
    done = run(*program, call, name, *more, check=False, **options)
    if done.returncode not in (0, 1):
        raise AssertionError(f"{call} {name}: exit {done.returncode}\n{done.stdout}")
    return done.stdout.strip()


def harctl(*words, check=True):
    """What harctl prints; and unless check, whatever its exit status says, the whole process."""
    done = run(HARCTL, *words, check=check)
    return done.stdout if check else done


def harctl_json(*words):
    """What it answers with -j, whether ok or not."""
    return json.loads(harctl("-j", *words, check=False).stdout)


READER = """
import json, random, signal, socket, sys
wanted, asked, over = json.loads(sys.stdin.readline()), 0, []
names = list(wanted)
signal.signal(signal.SIGTERM, lambda *_: over.append(True))
while not over:
    name = random.choice(names)
    found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    if len(found) != 1 or found[0][4][0] not in wanted[name]:
        sys.exit(f"{name}: {found}")
    asked += 1
    if asked in (1, 100):
        print("asked", asked, flush=True)
"""


class Reader(Process):
    """A program that looks up names without pause. wanted: the addresses that each may have; it
    ends at an answer that is another."""

    def __init__(self, log, wanted):
        with tempfile.TemporaryFile("w+") as words:
            json.dump(wanted, words)
            words.seek(0)
            super().__init__([sys.executable, "-c", READER], log, stdin=words)
        self.wait_ready(lambda: "asked 1\n" in self.log_text())

    def stop(self):
        """Every answer so far was as wanted, and there were many."""
        wait_until(lambda: "asked 100\n" in self.log_text() or self.popen.poll() is not None,
                   "a hundred look-ups")
        self.kill(signal.SIGTERM)
        if self.popen.returncode != 0:
            raise AssertionError(f"look-ups: {self.log_text()}")


def forget_ranking():
    """So that the next test's daemon starts without one, and without a state."""
    for name in os.listdir(os.path.dirname(RANKING)):
        os.unlink(os.path.join(os.path.dirname(RANKING), name))
    shutil.rmtree(os.path.dirname(STATE), ignore_errors=True)


def select(path, query):
    """The rows of a database, read with the sqlite3 shell as people would."""
    done = run("sqlite3", "-json", "-readonly", path, query)
    return json.loads(done.stdout or "[]")


def read_ranking(path=RANKING):
    """The rows of a published ranking by name."""
    return {row["name"]: row for row in select(path, "select * from answer order by name")}


def read_state(path=STATE):
    """The endpoints of a state by host and address."""
    return {(row["host"], row["address"]): row for row in select(path, "select * from endpoint")}


def established(server):
    """Our ends of the connections to a server that has an address and a port."""
    done = run("ss", "-Htn", "state", "established", "dst", f"{server.address}:{server.port}")
    return [line.split()[2] for line in done.stdout.splitlines()]


class TestCase(unittest.TestCase):
    """Starts servers and the daemon, and ends them with the test."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="test-", dir=os.environ["HAR_TEST_WORK"])
        os.chmod(self.folder, 0o755)
        self.started = 0

    def path(self, kind):
        """A fresh name in this test's own folder."""
        self.started += 1
        return os.path.join(self.folder, f"{kind}{self.started}")

    def server(self, address, **settings):
        server = Server(address, self.path("server"), **settings)
        self.addCleanup(server.kill)
        return server

    def nginx(self, servers, *listens):
        """servers: server blocks. listens: (address, port) pairs that accept when it is up."""
        nginx = Nginx(self.path("nginx"), servers, listens)
        self.addCleanup(nginx.kill)
        return nginx

    def hard(self, hosts, *options, through=(), **top):
        """A daemon that is ready. hosts: as in the configuration; top: other top-level keys."""
        folder = self.path("hard")
        self.addCleanup(forget_ranking)
        self.addCleanup(self.print_log, f"{folder}/log")
        hard = Hard(folder, {"hosts": hosts, **top}, *options, through=through)
        self.addCleanup(hard.stop)
        return hard

    @staticmethod
    def print_log(path):
        """Of every test, for tests/functional/STORY/test_STORY.log."""
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as log:
                print(f"\n--- hard's log\n{log.read()}---", file=sys.stderr)

    def assert_answer(self, name, addresses, deadline_s=DEADLINE_S, **options):
        """Waits until name resolves to just these addresses, in this order."""
        found = []

        def as_wanted():
            found[:] = getent(name, **options)
            return found == addresses
        try:
            wait_until(as_wanted, "", deadline_s)
        except AssertionError:
            self.fail(f"{name} is {found} after {deadline_s} s, not {addresses}")


def main(machine=True):
    """Runs the tests of the calling file. machine: in a small machine of its own, as root."""
    if not machine:
        with tempfile.TemporaryDirectory(prefix="har-test-") as work:
            os.environ["HAR_TEST_WORK"] = work
            _run_tests()
    if "HAR_TEST_WORK" not in os.environ:
        enter()
    try:
        furnish()
    except (OSError, AssertionError) as error:
        print("cannot set up the test's machine:", error)
        sys.exit(99)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # process 1 would ignore it
    _run_tests()


def _run_tests():
    faulthandler.dump_traceback_later(STORY_S, exit=True)  # also out of a call that hangs
    result = unittest.main(verbosity=2, exit=False).result
    if result.wasSuccessful() and result.testsRun == len(result.skipped):
        sys.exit(77)
    sys.exit(not result.wasSuccessful())
