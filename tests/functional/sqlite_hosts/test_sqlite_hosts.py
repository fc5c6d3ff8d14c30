"""The module needs no libsqlite3: programs that bring a false or an old one get right answers.

tests/support/bogus_sqlite.c ends the process that calls one of its functions.
"""

import glob
import os
import re
import sys

import harness

NAME = "api.example.com"
HOST_PROGRAM = os.path.join(harness.BUILD, "tests/support/lookup_client_sqlite")
OLD = os.path.join(harness.BUILD, "tests/support/libsqlite3.so.0")
MODULE = os.path.join(harness.BUILD, "libnss_har.so.2")
LOOK_UP_AND_SHOW_MAPS = """
import socket, sys
print(socket.getaddrinfo(sys.argv[1], None, 0, socket.SOCK_STREAM)[0][4][0])
print(open("/proc/self/maps").read())
"""

harness.require("curl")


def of_interest(paths):
    return sorted({path for path in paths
                   if os.path.basename(path).startswith(("libsqlite3", "libnss_har"))})


def mapped(text):
    """Of the files in a process's list of mappings."""
    return of_interest(re.findall(r"/\S+", text))


def loaded(log):
    """Of the files that the loader was told to load, as it was told: by name or by path."""
    with open(*glob.glob(f"{log}.*"), encoding="utf-8") as lines:
        return of_interest(re.findall(r"file=(\S+) .*; +(?:needed|dynamically loaded) by",
                                      lines.read()))


class SqliteHosts(harness.TestCase):
    def setUp(self):
        super().setUp()
        web = self.server("127.0.1.1")
        self.hard({NAME: {"candidates": [web.candidate], "check": harness.QUICK}})
        self.commands = {
            "getent": (["getent", "ahosts", NAME], "127.0.1.1"),
            "curl": (["curl", "--silent", "--show-error", f"http://{NAME}:{web.port}/"],
                     f"this is 127.0.1.1:{web.port}"),
            "python3": ([sys.executable, "-I", "-c", LOOK_UP_AND_SHOW_MAPS, NAME], "127.0.1.1"),
            "lookup_client": ([harness.LOOKUP_CLIENT, "gethostbyname", NAME, "maps"],
                              f"{NAME} [] 127.0.1.1"),
        }

    def assert_all_right(self, preloaded=()):
        for label, (command, answer) in self.commands.items():
            with self.subTest(label):
                log = self.path("loader")
                done = harness.run(*command, env={
                    **os.environ, "LD_PRELOAD": " ".join(preloaded),
                    "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": log})
                self.assertTrue(done.stdout.startswith(answer), done.stdout)
                self.assertEqual(loaded(log), sorted(["libnss_har.so.2", *preloaded]))
                if label in ("python3", "lookup_client"):
                    self.assertEqual(mapped(done.stdout), sorted([MODULE, *preloaded]))

    def test_programs_without_sqlite(self):
        self.assert_all_right()

    def test_programs_with_an_old_one_preloaded(self):
        self.assert_all_right([OLD])

    def test_program_that_exports_bogus_functions(self):
        for call, answer in (("getaddrinfo", "127.0.1.1"), ("getaddrinfo-4", "127.0.1.1"),
                             ("getaddrinfo-6", "EAI_NODATA"), ("gethostbyname2-6", "NO_DATA"),
                             ("gethostbyname", f"{NAME} [] 127.0.1.1")):
            with self.subTest(call):
                said = harness.look_up(call, NAME, "maps", program=(HOST_PROGRAM,))
                self.assertEqual(said.splitlines()[0], answer)
                self.assertEqual(mapped(said), [MODULE])


harness.main()
