"""make install puts the module where glibc looks for it, as Debian and Fedora lay their systems out;
a folder that the user gives wins."""

import glob
import os
import re

import harness

harness.require("strace")

SOURCE = os.environ["HAR_SRCDIR"]
RUNSTATEDIR = os.path.dirname(os.path.dirname(harness.RANKING))
NAME, ADDRESS = "api.example.com", "192.0.2.1"

# A compiler for "-DKIND" that finds its C library where the file beside it says.
COMPILER = """#!/bin/sh
case " $* " in
*" -DKIND"*" -print-file-name=libc.so "*) cat "$0.libc" ;;
*) exec {cc} "$@" ;;
esac
"""


def compiler():
    """The one of the build at hand."""
    with open(os.path.join(harness.BUILD, "Makefile"), encoding="utf-8") as makefile:
        return re.search(r"^CC = (.*)$", makefile.read(), re.M)[1]


class InstalledModule(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.make_private("/usr")
        del os.environ["LD_LIBRARY_PATH"]

    def configure(self, folder, *options):
        """Returns where the module will be, as configure says at its end, or its error."""
        os.makedirs(folder, exist_ok=True)
        done = harness.run(f"{SOURCE}/configure", f"--runstatedir={RUNSTATEDIR}", *options,
                           cwd=folder, check=False, timeout=180)
        found = re.search(r"^(?:  module +|configure: error: )(.*)$", done.stdout, re.M)
        self.assertIsNotNone(found, done.stdout)
        return found[1]

    def assert_upgraded_at_once(self, build, module):
        """A process that missed the module once would never ask for it again."""
        trace = self.path("trace")
        harness.run("strace", "--follow-forks", "--output", trace, "--trace",
                    "unlink,unlinkat,open,openat,creat,truncate,rename,renameat,renameat2",
                    "make", "-C", build, "install-module", timeout=120)
        with open(trace, encoding="utf-8") as lines:
            changes = {line.split()[1].split("(")[0] for line in lines
                       if f'"{module}"' in line and "O_RDONLY" not in line}
        self.assertEqual({call.rstrip("at2") for call in changes}, {"rename"})

    def test_glibc_finds_it(self):
        for place in ("lib*", "lib/*", "local/lib"):  # har may be installed on this machine
            for module in glob.glob(f"/usr/{place}/libnss_har.so.2"):
                os.unlink(module)
        self.hard({NAME: {"candidates": [ADDRESS], "check": {"type": "none"}}})
        build = self.path("build")
        module = self.configure(build, "--prefix=/usr", f"CC={compiler()}")
        self.assertEqual(harness.getent(NAME), [])
        harness.make(build, "install-module")
        self.assertTrue(os.path.isfile(module), module)
        self.assertEqual(harness.getent(NAME), [ADDRESS])
        self.assert_upgraded_at_once(build, module)
        harness.make(build, "uninstall-module")
        self.assertEqual(harness.getent(NAME), [])

    def test_layouts(self):
        """Below /usr the module goes to where the C library is, if nobody says otherwise."""
        for folder in ("/usr/lib/multiarch-test", "/usr/libtest64"):
            os.mkdir(folder)
        os.symlink("libtest64", "/usr/libtestlink")
        cc = self.path("cc")
        harness.write(cc, COMPILER.format(cc=compiler()))
        os.chmod(cc, 0o755)
        debian = "/usr/lib/x/../multiarch-test/libc.so"
        os.makedirs("/usr/lib/x")
        for libc, options, wanted in (
                (debian, "--prefix=/usr", "/usr/lib/multiarch-test"),
                (debian, "--prefix=/usr/ --exec-prefix=/usr", "/usr/lib/multiarch-test"),
                ("/usr/libtest64/libc.so", "--prefix=/usr", "/usr/libtest64"),
                ("/usr/libtestlink/libc.so", "--prefix=/usr", "/usr/libtest64"),
                ("/usr/lib/libc.so", "--prefix=/usr", os.path.realpath("/usr/lib")),
                ("/opt/cross/lib/libc.so", "--prefix=/usr", "/usr/lib"),
                (debian, "--prefix=/usr --libdir=/usr/lib", "/usr/lib"),
                (debian, "--prefix=/usr --libdir=/else", "/else"),
                (debian, "--prefix=/usr --libdir=/else --with-nssdir=/where", "/where"),
                (debian, "--prefix=/usr --exec-prefix=/opt", "/opt/lib"),
                (debian, "", "/usr/local/lib"),
                (debian, "--with-nssdir=here", None)):
            harness.write(f"{cc}.libc", f"{libc}\n")
            with self.subTest(libc=libc, options=options):
                module = self.configure(f"{self.folder}/layouts", "--no-create",
                                        "--cache-file=cache", f"CC={cc}", "CFLAGS=-DKIND",
                                        *options.split())
                self.assertEqual(module, f"{wanted}/libnss_har.so.2" if wanted else
                                 "--with-nssdir=here: give it an absolute path")


harness.main()
