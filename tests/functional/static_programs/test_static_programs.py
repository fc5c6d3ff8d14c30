"""Programs that bring their own libc or resolver: har's answer, or the next service's, no trouble.

A static glibc loads the module if it is there. Go with cgo asks glibc. Go without cgo, and musl,
know no services: they pass over the word har in nsswitch.conf and ask /etc/hosts and DNS.
"""

import os
import shutil

import harness

NAME = "api.example.com"
FROM_HAR, FROM_DNS, FROM_FILES = "192.0.2.10", "192.0.2.53", "192.0.2.80"
SUPPORT = os.path.join(os.environ["HAR_SRCDIR"], "tests/support")
STATIC = ["-std=gnu11", "-static", "-o", "client", f"{SUPPORT}/lookup_client.c"]

harness.require("cc", "musl-gcc", "go", "chroot")


class StaticPrograms(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dns = harness.Dns(FROM_DNS)
        harness.write("/etc/hosts", f"127.0.0.1 localhost\n{FROM_FILES} file.example.com\n")

    def setUp(self):
        super().setUp()
        self.dns.asked.clear()
        self.hard({NAME: {"candidates": [FROM_HAR], "check": {"type": "none"}}})

    def build(self, *command, **environment):
        """Returns the path of what the command makes, whose name is client."""
        folder = self.path("built")
        os.mkdir(folder)
        harness.run(*command, cwd=folder, env={**os.environ, **environment}, timeout=120)
        return f"{folder}/client"

    def build_go(self, cgo):
        return self.build("go", "build", "-o", "client", f"{SUPPORT}/lookup.go", CGO_ENABLED=cgo,
                          HOME=self.folder, GOPATH=f"{self.folder}/go", GOFLAGS="-mod=mod",
                          GOCACHE=f"{self.folder}/cache", GOPROXY="off", GOTOOLCHAIN="local")

    def assert_asks_files_and_dns(self, look_up):
        """Not har; and DNS once for each family, so that nothing failed first."""
        self.assertEqual(look_up("file.example.com"), FROM_FILES)
        self.assertEqual(self.dns.asked, [])
        self.assertEqual(look_up(NAME), FROM_DNS)
        self.assertEqual(sorted(self.dns.asked), [(NAME, 1), (NAME, 28)])

    def test_static_glibc(self):
        client = self.build("cc", *STATIC)
        for call, answer in (("getaddrinfo", FROM_HAR), ("getaddrinfo-6", "EAI_NODATA"),
                             ("gethostbyname", f"{NAME} [] {FROM_HAR}"),
                             ("gethostbyname2_r-6", "NO_DATA")):
            with self.subTest(call):
                self.assertEqual(harness.look_up(call, NAME, program=(client,)), answer)
        self.assertEqual(self.dns.asked, [])

    def test_static_glibc_alone_in_a_root_without_the_module(self):
        root = os.path.dirname(self.build("cc", *STATIC))
        os.mkdir(f"{root}/etc")
        for name in ("hosts", "nsswitch.conf", "resolv.conf"):
            shutil.copy(f"/etc/{name}", f"{root}/etc")
        self.assert_asks_files_and_dns(lambda name: harness.look_up(
            "getaddrinfo", name, program=("chroot", root, "/client")))

    def test_musl(self):
        client = self.build("musl-gcc", *STATIC)
        self.assert_asks_files_and_dns(
            lambda name: harness.look_up("getaddrinfo", name, program=(client,)))

    def test_go_without_cgo(self):
        client = self.build_go(cgo="0")
        self.assert_asks_files_and_dns(lambda name: harness.run(client, name).stdout.strip())

    def test_go_with_cgo(self):
        client = self.build_go(cgo="1")
        self.assertEqual(harness.run(client, NAME).stdout.strip(), FROM_HAR)
        self.assertEqual(harness.run(client, "file.example.com").stdout.strip(), FROM_FILES)
        self.assertEqual(self.dns.asked, [])


harness.main()
