"""The small machine in which a functional test runs, and what every part of the harness needs."""

import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time

if "HAR_BUILDDIR" not in os.environ:
    sys.exit("run it through make, which knows the paths: make check TESTS=... (tests/README)")
BUILD = os.environ["HAR_BUILDDIR"]
RANKING = os.environ["HAR_RANKING_DB"]
STATE = os.environ["HAR_STATE_DB"]
CONTROL = os.environ["HAR_CONTROL_SOCKET"]
DEADLINE_S = 20  # for what takes a second on an idle machine

NSSWITCH = "passwd: files\ngroup: files\nhosts: {hosts}\n"
NSSWITCH_HOSTS = "files har [!UNAVAIL=return] dns"
UNSHARE = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
WORK = "/run/har-test"  # the place for files; in memory, as all of /run there
IPV6 = [f"2001:db8::{place}" for place in (1, 2, 3)]


def run(*command, check=True, **options):
    """subprocess.run with text captured, standard error in standard output, and a deadline."""
    options = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
               "timeout": DEADLINE_S, **options}
    done = subprocess.run(command, **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}")
    return done


def make(folder, *arguments):
    """As a user would type it there: without what the make around this test handed down."""
    clean = {key: value for key, value in os.environ.items()
             if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DESTDIR")}
    return run("make", "-C", folder, *arguments, env=clean, timeout=180)


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


def write(path, text):
    """Puts a file in the place of whatever is there, be it a symbolic link."""
    if os.path.islink(path):
        os.unlink(path)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def skip_all(why):
    print("skipped:", why)
    sys.exit(77)


def require(*commands):
    """Skips the whole test unless these programs are installed."""
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"  # where users have none of them
    absent = [command for command in commands if shutil.which(command) is None]
    if absent:
        skip_all(f"{', '.join(absent)} not found; scripts/deps test installs all that tests need")


def enter():
    """Starts this test again, inside the namespaces."""
    if os.geteuid() != 0:
        skip_all("mount and network namespaces need root")
    if subprocess.run(UNSHARE + ["true"]).returncode != 0:
        skip_all("root may not make namespaces here (a container without CAP_SYS_ADMIN?)")
    os.environ["HAR_TEST_WORK"] = WORK
    os.execvp(UNSHARE[0], UNSHARE + [sys.executable, *sys.argv])


def make_private(folder):
    """What is written below folder from here on stays in this namespace."""
    layer = tempfile.mkdtemp(dir=WORK)
    os.mkdir(f"{layer}/upper")
    os.mkdir(f"{layer}/work")
    run("mount", "-t", "overlay", "overlay", "-o",
        f"lowerdir={folder},upperdir={layer}/upper,workdir={layer}/work", folder)


def make_place(folder):
    """A private folder that every user reaches, also below a home that others may not enter."""
    above = [str(parent) for parent in reversed(pathlib.PurePath(folder).parents)] + [folder]
    existing = [parent for parent in above if os.path.isdir(parent)]
    closed = [parent for parent in existing if not os.stat(parent).st_mode & stat.S_IXOTH]
    if not folder.startswith("/run/"):
        make_private((closed or existing[-1:])[0])
    for parent in closed:
        os.chmod(parent, os.stat(parent).st_mode | stat.S_IXOTH)
    os.makedirs(folder, exist_ok=True)


def set_nsswitch(hosts=NSSWITCH_HOSTS):
    write("/etc/nsswitch.conf", NSSWITCH.format(hosts=hosts))


def furnish():
    """Inside: makes the place look like a machine on which har was installed."""
    os.umask(0o022)  # servers that drop root look in
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")  # no nscd, no resolved
    os.mkdir(WORK)
    make_private("/etc")
    make_place(os.path.dirname(os.path.dirname(STATE)))  # its own folder is hard's to make
    shutil.rmtree(os.path.dirname(STATE), ignore_errors=True)  # of a har that runs outside
    make_place(os.path.dirname(RANKING))  # the last one, since a test renames it

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


def have_ipv6():
    """Whether a server can listen on the addresses of IPV6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((IPV6[0], 0))
        return True
    except OSError:
        return False
