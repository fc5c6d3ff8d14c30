"""make install puts each file where it belongs, and make uninstall takes all of them away again."""

import os
import re

import harness


def make(*arguments):
    return harness.make(harness.BUILD, *arguments)


def variable(name):
    """A folder as the Makefile has it, with everything expanded."""
    rule = f"show: ; @echo 'value=$({name})'"
    return re.search(r"value=(.*)", make("-s", "--eval", rule, "show").stdout)[1]


def files_below(folder):
    return {os.path.relpath(os.path.join(parent, name), folder)
            for parent, _, names in os.walk(folder) for name in names}


class Installation(harness.TestCase):
    def test_install_and_uninstall(self):
        root = self.path("root")
        make("install", f"DESTDIR={root}")
        wanted = {
            variable("sbindir") + "/hard": 0o755,
            variable("bindir") + "/harctl": 0o755,
            variable("nssdir") + "/libnss_har.so.2": 0o755,
            variable("mandir") + "/man1/harctl.1": 0o644,
            variable("mandir") + "/man8/hard.8": 0o644,
            variable("mandir") + "/man8/nss_har.8": 0o644,
            variable("mandir") + "/man5/har.json.5": 0o644,
            variable("pkgdocdir") + "/har.json.example": 0o644,
            variable("pkgdocdir") + "/har.schema.json": 0o644,
        }
        self.assertEqual(files_below(root), {path.lstrip("/") for path in wanted})
        for path, mode in wanted.items():
            self.assertEqual(os.stat(root + path).st_mode & 0o777, mode, path)
        make("uninstall", f"DESTDIR={root}")
        self.assertEqual(files_below(root), set())


harness.main(machine=False)
