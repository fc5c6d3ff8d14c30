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

Needs root for the namespaces; without it the test is skipped (exit status 77). A test that
starts nothing and looks at files alone ends in harness.main(machine=False) and needs nothing.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

if "HAR_BUILDDIR" not in os.environ:
    sys.exit("run it through make, which knows the paths: make check TESTS=... (tests/README)")
BUILD = os.environ["HAR_BUILDDIR"]
RANKING = os.environ["HAR_RANKING_DB"]
HARD = os.path.join(BUILD, "hard/hard")
DEADLINE_S = 20  # for what takes a second on an idle machine
QUICK = {"interval": "200ms", "timeout": "5s"}  # a check; a busy machine is no dead server

NSSWITCH = "passwd: files\ngroup: files\nhosts: {hosts}\n"
NSSWITCH_HOSTS = "files har [!UNAVAIL=return] dns"

# --- The small machine ------------------------------------------------------------------------

UNSHARE = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
WORK = "/run/har-test"  # the place for files; in memory, as all of /run there
IPV6 = [f"2001:db8::{place}" for place in (1, 2, 3)]


def skip_all(why):
    print("skipped:", why)
    sys.exit(77)


def require(*commands):
    """Skips the whole test unless these programs are installed."""
    absent = [command for command in commands if shutil.which(command) is None]
    if absent:
        skip_all(f"{', '.join(absent)} not found; scripts/deps test installs all that tests need")


def _enter():
    """Starts this test again, inside the namespaces."""
    if os.geteuid() != 0:
        skip_all("mount and network namespaces need root")
    if subprocess.run(UNSHARE + ["true"]).returncode != 0:
        skip_all("root may not make namespaces here (a container without CAP_SYS_ADMIN?)")
    os.environ["HAR_TEST_WORK"] = WORK
    os.execvp(UNSHARE[0], UNSHARE + [sys.executable, *sys.argv])


def run(*command, check=True, **options):
    """subprocess.run with text captured, standard error in standard output, and a deadline."""
    options = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
               "timeout": DEADLINE_S, **options}
    done = subprocess.run(command, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return done


def have_ipv6():
    """Whether a server can listen on the addresses of IPV6."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind((IPV6[0], 0))
            return True
        except OSError:
            return False


def _make_private(folder):
    """What is written below folder from here on stays in this namespace."""
    layer = tempfile.mkdtemp(dir=WORK)
    os.mkdir(f"{layer}/upper")
    os.mkdir(f"{layer}/work")
    run("mount", "-t", "overlay", "overlay", "-o",
        f"lowerdir={folder},upperdir={layer}/upper,workdir={layer}/work", folder)


def write(path, text):
    """Puts a file in the place of whatever is there, be it a symbolic link."""
    if os.path.islink(path):
        os.unlink(path)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def set_nsswitch(hosts=NSSWITCH_HOSTS):
    write("/etc/nsswitch.conf", NSSWITCH.format(hosts=hosts))


def _furnish():
    os.umask(0o022)  # servers that drop root look in
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")  # no nscd, no resolved
    os.mkdir(WORK)
    _make_private("/etc")
    folder = os.path.dirname(RANKING)
    if not folder.startswith("/run/"):
        existing = folder
        while not os.path.isdir(existing):
            existing = os.path.dirname(existing)
        _make_private(existing)
    os.makedirs(folder, exist_ok=True)

    run("ip", "link", "set", "lo", "up")
    # With loopback addresses alone, AI_ADDRCONFIG (getent sets it) would hide whole families.
    run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
    for address in IPV6:
        run("ip", "address", "add", f"{address}/128", "dev", "lo", "nodad", check=False)
    set_nsswitch()
    write("/etc/hosts", "127.0.0.1 localhost\n")
    write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    os.environ["LD_LIBRARY_PATH"] = BUILD  # where glibc finds libnss_har.so.2
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]


def main(machine=True):
    """Runs the tests of the calling file. machine: in a small machine of its own, as root."""
    if not machine:
        with tempfile.TemporaryDirectory(prefix="har-test-") as work:
            os.environ["HAR_TEST_WORK"] = work
            _run_tests()
    if "HAR_TEST_WORK" not in os.environ:
        _enter()
    try:
        _furnish()
    except (OSError, AssertionError) as error:
        print("cannot set up the test's machine:", error)
        sys.exit(99)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # process 1 would ignore it
    _run_tests()


def _run_tests():
    result = unittest.main(verbosity=2, exit=False).result
    if result.wasSuccessful() and result.testsRun == len(result.skipped):
        sys.exit(77)
    sys.exit(not result.wasSuccessful())


# --- Waiting ----------------------------------------------------------------------------------


def wait_until(condition, what, deadline_s=DEADLINE_S):
    """Asks until condition() is true and returns what it returned. Fails after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        time.sleep(0.01)


# --- Servers ----------------------------------------------------------------------------------


class Process:
    """A program in a process group of its own, with its output in a file."""

    def __init__(self, command, log, **options):
        self.command = command
        self.log_path = log
        with open(log, "a", encoding="utf-8") as out:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                          stderr=out, start_new_session=True, **options)

    def log_text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_ready(self, condition):
        def ready_or_gone():
            return condition() or self.popen.poll() is not None
        try:
            wait_until(ready_or_gone, f"{self.command[0]} ready")
            if self.popen.poll() is not None:
                raise AssertionError(f"{' '.join(self.command)}: exit {self.popen.returncode}")
        except AssertionError:
            self.kill()
            print(self.log_text(), file=sys.stderr)
            raise

    def kill(self, number=signal.SIGKILL):
        """The whole group at once, so that an nginx has no worker left."""
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, number)
        self.popen.wait(DEADLINE_S)


def candidate_for(address, port):
    return {"address": address, "check": {"port": port}}


class Server:
    """tests/support/test_server on one address; its head comment explains modes and settings."""

    def __init__(self, address, log, port=0, **settings):
        self.address = address
        self.port = port
        self.settings = settings
        self.log = log
        self.start()

    def start(self):
        """Also: again after kill(), on the same port."""
        options = [f"--{key}={value}" for key, value in self.settings.items()]
        quoted = f"[{self.address}]" if ":" in self.address else self.address
        if os.path.exists(self.log):
            os.unlink(self.log)
        self.process = Process([os.path.join(BUILD, "tests/support/test_server"),
                                "--control", "127.0.0.1:0", *options, f"{quoted}:{self.port}"],
                               self.log)
        self.process.wait_ready(lambda: "ready " in self.process.log_text())
        text = self.process.log_text()
        self.port = int(re.search(r"^ready .*:(\d+)$", text, re.M)[1])
        self.control = re.search(r"^control (\S+)$", text, re.M)[1]

    def kill(self):
        self.process.kill()

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.control}{path}", timeout=DEADLINE_S) as answer:
            return answer.read()

    def set(self, **settings):
        """Another behaviour from the next connection on."""
        self.ask("/_set?" + urllib.parse.urlencode(settings))

    def stats(self):
        return json.loads(self.ask("/_stats"))

    @property
    def candidate(self):
        return candidate_for(self.address, self.port)


NGINX = """
pid {folder}/nginx.pid;
daemon off;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {servers}
}}
"""


class Nginx:
    """One nginx with the server blocks given, in its own folder."""

    def __init__(self, folder, servers, listens):
        os.makedirs(folder)
        self.folder = folder
        self.listens = listens
        write(f"{folder}/nginx.conf", NGINX.format(folder=folder, servers=servers))
        self.start()

    def start(self):
        self.process = Process(["nginx", "-p", self.folder, "-c", f"{self.folder}/nginx.conf",
                                "-e", "stderr"], f"{self.folder}/log")
        self.process.wait_ready(lambda: all(map(accepts, self.listens)))

    def kill(self):
        self.process.kill()

    def access_log(self):
        """Of server blocks that say `access_log access.log;`."""
        with open(f"{self.folder}/access.log", encoding="utf-8") as log:
            return log.read()


def accepts(address_and_port):
    try:
        socket.create_connection(address_and_port, timeout=1).close()
        return True
    except OSError:
        return False


class Authority:
    """A private certificate authority, made by openssl."""

    CONFIG = ("[ca]\ndefault_ca=har\n[har]\ndatabase={0}/index\nnew_certs_dir={0}\n"
              "default_md=sha256\npolicy=any\ncopy_extensions=copy\nrand_serial=yes\n"
              "unique_subject=no\n"
              "[any]\ncommonName=supplied\n")
    KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def __init__(self, folder):
        os.makedirs(folder)
        self.folder = folder
        self.certificate = f"{folder}/ca.pem"
        write(f"{folder}/index", "")
        write(f"{folder}/ca.conf", self.CONFIG.format(folder))
        run("openssl", "req", "-x509", *self.KEY, "-subj", "/CN=har test authority", "-days", "2",
            "-keyout", f"{folder}/ca.key", "-out", self.certificate)

    def issue(self, name, label, expires="20491231235959Z"):
        """A certificate for the DNS name: the paths of certificate and key."""
        base = f"{self.folder}/{label}"
        run("openssl", "req", *self.KEY, "-subj", f"/CN={name}", "-addext",
            f"subjectAltName=DNS:{name}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
        run("openssl", "ca", "-batch", "-notext", "-config", f"{self.folder}/ca.conf",
            "-cert", self.certificate, "-keyfile", f"{self.folder}/ca.key",
            "-startdate", "20200101000000Z", "-enddate", expires,
            "-in", f"{base}.csr", "-out", f"{base}.pem")
        return f"{base}.pem", f"{base}.key"


# --- The daemon -------------------------------------------------------------------------------

PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)')
ESCAPED = re.compile(r'\\(["\\])')


def parse_log(text):
    """One dict a line of key=value."""
    return [{key: ESCAPED.sub(r"\1", value[1:-1]) if value.startswith('"') else value
             for key, value in PAIR.findall(line)}
            for line in text.splitlines()]


class Hard:
    """The daemon, running in the foreground on a configuration file of its own."""

    def __init__(self, folder, config, *options):
        os.makedirs(folder)
        self.folder = folder
        self.config_path = f"{folder}/har.json"
        self.options = options
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
            self.process = Process([HARD, "-c", self.config_path, *self.options],
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


def forget_ranking():
    """So that the next test's daemon starts without one."""
    for name in os.listdir(os.path.dirname(RANKING)):
        os.unlink(os.path.join(os.path.dirname(RANKING), name))


def read_ranking(path=RANKING):
    """The rows of a published ranking by name, read with the sqlite3 shell as people would."""
    done = run("sqlite3", "-json", "-readonly", path, "select * from answer order by name")
    return {row["name"]: row for row in json.loads(done.stdout or "[]")}


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

    def hard(self, hosts, *options, **top):
        """A daemon that is ready. hosts: as in the configuration; top: other top-level keys."""
        folder = self.path("hard")
        self.addCleanup(forget_ranking)
        self.addCleanup(self.print_log, f"{folder}/log")
        hard = Hard(folder, {"hosts": hosts, **top}, *options)
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
