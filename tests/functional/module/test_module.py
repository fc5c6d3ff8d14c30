"""libnss_har.so.2 is fit to be loaded into every process: libc alone, four symbols, no state."""

import os
import re

import harness

MODULE = os.path.join(harness.BUILD, "libnss_har.so.2")
ENTRY_POINTS = {f"_nss_har_gethostbyname{which}_r" for which in ("", "2", "3", "4")}

# All that the module may ask of libc. No heap, lock, output, environment, signal or abort is here.
IMPORTS = {"__errno_location", "clock_gettime", "close", "inet_pton", "open", "open64", "pread",
           "pread64", "pthread_setcancelstate"}
# Those that the compiler puts for one another; which ones depends on its version and options.
IMPORTS |= {"bcmp", "memchr", "memcmp", "memcpy", "memmove", "memset", "stpcpy", "strchr", "strcmp",
            "strcpy", "strcspn", "strlen", "strnlen"}
# A packager's compiler checks the stack and lengths: these end a process that was overrun.
HARDENED = {"__stack_chk_fail"} | {f"__{name}_chk" for name in IMPORTS}

NEWEST_GLIBC = (2, 17)  # of which the module may need a symbol, where glibc is as old as that

harness.require("readelf")


def readelf(option):
    return harness.run("readelf", "--wide", option, MODULE).stdout


def dynamic_symbols():
    """Of all but the empty first one: name, version, whether it is defined, type."""
    rows = [line.split() for line in readelf("--dyn-syms").splitlines()]
    return [(*(row[7].split("@") + [""])[:2], row[6] != "UND", row[3])
            for row in rows if len(row) >= 8 and row[0].rstrip(":").isdigit()]


def segments(kind):
    """Where the segments of this type begin and end in memory, and their flags."""
    rows = re.findall(rf"^ *{kind} +0x\w+ 0x(\w+) 0x\w+ 0x\w+ 0x(\w+) ([RWE ]{{3}})",
                      readelf("--segments"), re.M)
    return [(int(begin, 16), int(begin, 16) + int(size, 16), flags) for begin, size, flags in rows]


def glibc_version(name):
    """GLIBC_2.17 as (2, 17). Whatever has no number is newer than all."""
    number = re.fullmatch(r"GLIBC_([\d.]+)", name)
    return tuple(map(int, number[1].split("."))) if number else (999,)


class Module(harness.TestCase):
    def test_needs_libc_alone(self):
        self.assertEqual(re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("--dynamic")), ["libc.so.6"])
        self.assertRegex(readelf("--dynamic"), r"SONAME.*\[libnss_har\.so\.2\]")

    def test_exports_the_four_entry_points_alone(self):
        exported = {name: kind for name, _, defined, kind in dynamic_symbols() if defined}
        self.assertEqual(exported, dict.fromkeys(ENTRY_POINTS, "FUNC"))

    def test_imports_what_it_needs_alone(self):
        imported = {name for name, _, defined, _ in dynamic_symbols() if not defined}
        self.assertEqual(imported - IMPORTS - HARDENED, set())
        self.assertLessEqual({"close", "inet_pton", "pthread_setcancelstate"}, imported)

    def test_needs_no_newer_glibc(self):
        """None newer than 2.17, or than the first glibc of this architecture."""
        needed = set(re.findall(r" Name: (\S+)", readelf("--version-info")))
        [base] = [version for name, version, _, _ in dynamic_symbols() if name == "strlen"]
        self.assertIn(base, needed)
        newest = max(NEWEST_GLIBC, glibc_version(base))
        self.assertEqual([name for name in needed if glibc_version(name) > newest], [])

    def test_runs_no_code_when_loaded(self):
        """Nor when unloaded, which never happens: it stays for the life of the process."""
        dynamic = readelf("--dynamic")
        self.assertNotRegex(dynamic, r"\((INIT|FINI|(PRE)?INIT_ARRAY|FINI_ARRAY)\)")
        self.assertNotIn("IRELATIV", readelf("--relocs"))
        self.assertRegex(dynamic, r"FLAGS_1.*\bNODELETE\b")

    def test_has_no_state(self):
        """Nothing is writable once the loader has bound the symbols, which it does at once."""
        self.assertEqual(segments("TLS"), [])
        [(relro_begin, relro_end, _)] = segments("GNU_RELRO")
        writable = [segment for segment in segments("LOAD") if "W" in segment[2]]
        for begin, end, _ in writable:
            self.assertGreaterEqual(begin, relro_begin)
            self.assertLessEqual(end, relro_end)
        self.assertEqual(len(writable), 1)
        dynamic = readelf("--dynamic")
        self.assertRegex(dynamic, r"FLAGS_1.*\bNOW\b")
        self.assertNotIn("TEXTREL", dynamic)

    def test_nothing_is_writable_and_executable(self):
        [(_, _, stack)] = segments("GNU_STACK")
        self.assertEqual(stack, "RW ")
        self.assertEqual([segment for segment in segments("LOAD") if {"W", "E"} <= set(segment[2])],
                         [])


harness.main(machine=False)
