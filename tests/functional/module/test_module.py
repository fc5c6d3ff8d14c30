"""libnss_har.so.2 is fit to be loaded into every process: libc alone, four symbols, no state."""

import os
import re

import harness

MODULE = os.path.join(harness.BUILD, "libnss_har.so.2")
ENTRY_POINTS = ["_nss_har_gethostbyname2_r", "_nss_har_gethostbyname3_r",
                "_nss_har_gethostbyname4_r", "_nss_har_gethostbyname_r"]

harness.require("readelf")


def readelf(option):
    return harness.run("readelf", "--wide", option, MODULE).stdout


class Module(harness.TestCase):
    def test_needs_libc_alone(self):
        self.assertEqual(re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("--dynamic")), ["libc.so.6"])

    def test_exports_the_four_entry_points_alone(self):
        rows = [line.split() for line in readelf("--dyn-syms").splitlines() if "GLOBAL" in line]
        exported = [row[7].split("@")[0] for row in rows if row[6] != "UND" and row[3] == "FUNC"]
        self.assertEqual(sorted(exported), ENTRY_POINTS)
        others = [row for row in rows if row[6] not in ("UND", "ABS") and row[3] != "FUNC"]
        self.assertEqual(others, [])

    def test_has_no_state(self):
        segments = readelf("--segments")
        self.assertNotRegex(segments, r"\bTLS\b")
        self.assertRegex(segments, r"GNU_RELRO")
        self.assertRegex(segments, r"GNU_STACK.* RW ")
        dynamic = readelf("--dynamic")
        self.assertRegex(dynamic, r"SONAME.*\[libnss_har\.so\.2\]")
        self.assertRegex(dynamic, r"NODELETE")
        self.assertRegex(dynamic, r"BIND_NOW|NOW")
        self.assertNotIn("TEXTREL", dynamic)

    def test_names_no_environment_variable(self):
        self.assertNotIn("getenv", readelf("--dyn-syms"))


harness.main(machine=False)
