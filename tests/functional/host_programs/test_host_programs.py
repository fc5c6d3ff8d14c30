"""Programs get right answers and keep what is their own, whatever they do with descriptors, threads,
signals, roots and users around getaddrinfo(3)."""

import os
import re
import shutil
import socket

import harness

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
DEADLINE_S = 90  # for what takes a few seconds on an idle machine
NSSWITCH_HOSTS = "har [!UNAVAIL=return] files"
PUBLISHED = {
    "both.example.com": {"candidates": ["2001:db8::1", "192.0.2.1"]},
    "v4.example.com": {"candidates": ["192.0.2.4"]},
    "v6.example.com": {"candidates": ["2001:db8::6"]},
    "failing.example.com": {"candidates": ["127.0.1.1"], "failure_mode": "none",
                            "check": {"type": "tcp", "port": 1}},
}
ELSEWHERE = "".join(f"192.0.2.99 {name}\n" for name in [*PUBLISHED, "absent.example.com"])

harness.require("setpriv")


def publish(folder):
    """Leaves a ranking and no daemon, so that nothing but the program changes anything."""
    hard = harness.Hard(folder, {"hosts": PUBLISHED, "max_stale": "1h",
                                 "defaults": {"check": {"type": "none"}}})
    harness.wait_until(lambda: harness.getaddrinfo("failing.example.com") == socket.EAI_AGAIN,
                       "failing.example.com fails")
    hard.stop()


def install(folder):
    """Puts the module into the C library's own folder: to some programs glibc gives no other."""
    os.mkdir(folder)
    shutil.copy(os.path.join(harness.BUILD, "libnss_har.so.2"), folder)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        libraries = os.path.dirname(re.search(r"/\S*/libc\.so\.6", maps.read())[0])
    harness.run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={folder}:{libraries}",
                libraries)
    del os.environ["LD_LIBRARY_PATH"]


class HostPrograms(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        work = os.environ["HAR_TEST_WORK"]
        harness.set_nsswitch(NSSWITCH_HOSTS)
        harness.write("/etc/hosts", ELSEWHERE)
        publish(f"{work}/hard")
        install(f"{work}/libraries")
        cls.program = shutil.copy(os.path.join(harness.BUILD, "tests/support/host_program"), work)

    def assert_works(self, mode, prefix=(), program=None, **options):
        done = harness.run(*prefix, program or self.program, mode, check=False,
                           timeout=DEADLINE_S, **options)
        self.assertEqual((done.stdout, done.returncode), ("", 0))

    def test_no_descriptor_mapping_or_memory_is_kept(self):
        """A chunk from malloc(3)'s cache would not count as taken."""
        uncached = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
        for mode in ("first", "repeat"):
            with self.subTest(mode):
                self.assert_works(mode, env=uncached)

    def test_all_descriptors_closed_between_calls(self):
        self.assert_works("closing-all")

    def test_descriptor_numbers_reused_between_calls(self):
        self.assert_works("numbers-taken")

    def test_no_descriptor_to_be_had(self):
        self.assert_works("numbers-exhausted")

    def test_signals_in_every_call(self):
        self.assert_works("interrupted")

    def test_children_of_threads_in_the_module(self):
        self.assert_works("forks")

    def test_children_of_threads_in_getaddrinfo(self):
        self.assert_works("forks-of-glibc")

    def test_programs_inherit_no_descriptor(self):
        self.assert_works("programs-started")

    def test_cancelled_threads(self):
        self.assert_works("cancelled")

    def test_smallest_stack(self):
        for mode in ("small-stack", "small-stack-of-glibc"):
            with self.subTest(mode):
                self.assert_works(mode)

    def test_chroot(self):
        """The next service is asked, be the module loaded by then or not to be found."""
        root = self.path("root")
        os.makedirs(f"{root}/etc")
        shutil.copy("/etc/nsswitch.conf", f"{root}/etc")
        shutil.copy("/etc/hosts", f"{root}/etc")
        for mode in ("chroot-after", "chroot-before"):
            with self.subTest(mode):
                self.assert_works(mode, cwd=root)

    def test_unprivileged_user(self):
        self.assert_works("unprivileged", AS_NOBODY)

    def test_secure_execution(self):
        """A setuid program answers from the ranking, wherever its user's environment points."""
        nonsense = self.path("nonsense")
        os.mkdir(nonsense)
        for name in ("ranking.db", "libnss_har.so.2"):
            harness.write(f"{nonsense}/{name}", "nonsense")
        program = shutil.copy(self.program, self.path("setuid"))
        os.chmod(program, 0o4755)
        self.assert_works("secure", AS_NOBODY, program, env={
            **os.environ, "LD_LIBRARY_PATH": nonsense, "HAR_RANKING_DB": f"{nonsense}/ranking.db"})


harness.main()
