"""What the benchmarks share: a namespace of their own, child processes, CPU accounting, tables."""

import os
import pathlib
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

INSIDE = "HAR_BENCH_WORK"  # set for the copy of the script that runs in the namespace

# What to install for a missing command, and how to ask for its version.
TOOLS = {
    "unshare": ("util-linux", ["--version"]),
    "ip": ("iproute2", ["-V"]),
    "strace": ("strace", ["-V"]),
    "dnsmasq": ("dnsmasq-base", ["--version"]),
    "nginx": ("nginx-light", ["-v"]),
    "gdnsd": ("gdnsd", None),  # says it when it starts
    "haproxy": ("haproxy", ["-v"]),
}


class Failure(Exception):
    """Ends the benchmark with this sentence and exit status 1."""


def say(text):
    """Progress, beside the tables of standard output."""
    print(text, file=sys.stderr, flush=True)


def run(main, tools, limit_s):
    """Runs main(work) in namespaces of its own, for at most limit_s seconds, and exits.

    work is an empty tmpfs. Mounts, network and processes are private: nothing on the machine
    changes, nothing leaves it, any port is free, and what was started ends with the script."""
    try:
        if INSIDE in os.environ:
            work = pathlib.Path(os.environ[INSIDE])
            enter(work)
            main(work)
        else:
            check_machine(tools)
            sys.exit(run_inside(limit_s))
    except Failure as failure:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


def check_machine(tools):
    if "HAR_BUILDDIR" not in os.environ:
        raise Failure("start it through make, which knows the paths: make bench-nss and so on")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    tools = ["unshare", "ip", *tools]
    missing = sorted(TOOLS[tool][0] for tool in tools if not shutil.which(tool))
    if missing:
        raise Failure("these packages are missing: " + " ".join(missing) +
                      "\nInstall them with `scripts/deps bench`, or by hand with "
                      "`apt-get install --no-install-recommends " + " ".join(missing) + "`")
    if os.geteuid() != 0:
        raise Failure("needs root, for namespaces; nothing outside them is changed")


def run_inside(limit_s):
    work = tempfile.mkdtemp(prefix="har-bench-")
    try:
        command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return subprocess.run([*command, sys.executable, *sys.argv], timeout=limit_s,
                              env={**os.environ, INSIDE: work}).returncode
    except subprocess.TimeoutExpired:
        raise Failure(f"not done after {limit_s} s")
    finally:
        os.rmdir(work)


def enter(work):
    call("mount", "-t", "tmpfs", "-o", "mode=0755", "har-bench", work)
    call("ip", "link", "set", "lo", "up")
    if os.path.isdir("/run/nscd"):  # its cache would answer for the service
        call("mount", "-t", "tmpfs", "har-bench", "/run/nscd")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


# --- the installation under test ------------------------------------------------------------------
def built(path):
    """A program of the build tree."""
    program = pathlib.Path(os.environ["HAR_BUILDDIR"]) / path
    if not program.exists():
        raise Failure(f"{program} is not built")
    return program


def mount_over(folder, work):
    """Makes folder an empty tmpfs of ours, also when it does not exist: then its nearest parent
    becomes a tmpfs with the former contents bound into it. Not overlayfs: that makes every lookup
    of a path below it slower, and paths are what we measure."""
    folder = pathlib.Path(os.path.realpath(folder))
    above = folder
    while not above.exists():
        above = above.parent
    if above == pathlib.Path("/"):
        raise Failure(f"create {folder.parent} first: a folder in / cannot be made for a while")
    before = work / "before"
    before.mkdir()
    call("mount", "--rbind", above, before)
    call("mount", "-t", "tmpfs", "-o", "mode=0755", "har-bench", above)
    if above != folder:
        for entry in before.iterdir():
            bind_again(entry, above / entry.name)
        folder.mkdir(parents=True)


def bind_again(source, target):
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
        return
    if source.is_dir():
        target.mkdir(exist_ok=True)  # mount(8) may have made one of them, /run/mount
    else:
        target.touch()
    call("mount", "--rbind", source, target)


def replace(path, text, work):
    """Puts a file of ours over /etc/something. Returns the file, which may be written again."""
    ours = work / os.path.basename(path)
    ours.write_text(text)
    try:
        call("mount", "--bind", ours, os.path.realpath(path))
    except Failure as failure:
        raise Failure(f"cannot put a file over {path}: {failure}")
    return ours


def install_module(work):
    """Lets glibc find the built module as `make install` and ldconfig would: through ld.so.cache.
    The ranking's folder becomes an empty tmpfs. Returns the path of ranking.db."""
    library = work / "lib"
    library.mkdir()
    shutil.copy(built("libnss_har.so.2"), library)
    conf = work / "ld.so.conf"
    conf.write_text(f"{library}\ninclude /etc/ld.so.conf\n")
    call("ldconfig", "-X", "-f", conf, "-C", work / "ld.so.cache")
    call("mount", "--bind", work / "ld.so.cache", "/etc/ld.so.cache")
    ranking = pathlib.Path(os.environ["HAR_RANKING_DB"])
    mount_over(ranking.parent, work)
    return ranking


# --- processes ------------------------------------------------------------------------------------
def call(*command, **options):
    """Runs a command to its end. Returns its standard output."""
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise Failure(f"{' '.join(command[:3])} failed: {said}")
    return done.stdout


class Daemon:
    """A child that runs until the end of a with block."""

    def __init__(self, name, command, work):
        self.name = name
        self.log = work / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(part) for part in command],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self):
        """The end of what it said."""
        return self.log.read_text(errors="replace")[-2000:]

    def check(self):
        """Fails when the child has ended."""
        if self.process.poll() is not None:
            status = self.process.returncode
            raise Failure(f"{self.name} ended with status {status}:\n{self.tail()}")

    def wait_for_port(self, address, port, deadline_s=10):
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            self.check()
            with socket.socket() as probe:
                if probe.connect_ex((address, port)) == 0:
                    return
            time.sleep(0.02)
        raise Failure(f"{self.name} does not listen on {address}:{port}")

    def cpu_ns(self):
        """Processor time of all threads so far, user and system: clock_getcpuclockid(3)."""
        return time.clock_gettime_ns((~self.pid << 3) | 2)

    def cpu_ticks(self):
        """The same in clock ticks, as (user, system): coarse, but told apart."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]), int(fields[12])

    def resident_mib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise Failure(f"{self.name} has no VmRSS")


def version(tool):
    """The first number that looks like a version in what the tool says of itself."""
    done = subprocess.run([tool, *TOOLS[tool][1]], capture_output=True, text=True)
    words = (done.stdout + done.stderr).replace("/", " ").split()
    return next((word for word in words if word[0].isdigit() and "." in word), "?")


# --- figures --------------------------------------------------------------------------------------
def figures(text):
    """The "key value" lines of our C programs, numbers as numbers."""
    pairs = (line.split(None, 1) for line in text.splitlines())
    return {key: int(value) if value.lstrip("-").isdigit() else value for key, value in pairs}


def strace_counts(path):
    """System call -> how often, from what `strace -c -o path` wrote."""
    # "% time  seconds  usecs/call  calls  errors  syscall"; errors is blank when there were none
    row = re.compile(r"^ +[\d.]+ +[\d.]+ +\d+ +(\d+)(?: +\d+)? +(\w+)$", re.M)
    counts = {name: int(count) for count, name in row.findall(path.read_text())}
    counts.pop("total", None)
    return counts


def median(values):
    return statistics.median(values)


def table(title, header, rows, left=(0,)):
    """Prints a Markdown table, its columns to the right but those of left."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells):
        padded = (cell.ljust(width) if i in left else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(cells, widths)))
        return "| " + " | ".join(padded) + " |"

    print(f"\n### {title}\n")
    print(line(header))
    print("|" + "|".join("-" * (width + 1) + ("-" if i in left else ":")
                         for i, width in enumerate(widths)) + "|")
    for row in rows:
        print(line(row))
    sys.stdout.flush()


def goal(what, value, limit, unit="", at_least=False):
    """One line under a table: a figure beside what it shall be, at most or at least."""
    met = value >= limit if at_least else value <= limit
    print(f"\n- {what}: {value:.3g}{unit}, goal at {'least' if at_least else 'most'} "
          f"{limit:g}{unit}: {'met' if met else 'MISSED'}")


def machine():
    """One line that says where the figures come from."""
    model = "?"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    libc = os.confstr("CS_GNU_LIBC_VERSION")
    print(f"\n{os.cpu_count()} × {model}, Linux {os.uname().release}, {libc}, "
          f"load {os.getloadavg()[0]:.2f} at the start")
