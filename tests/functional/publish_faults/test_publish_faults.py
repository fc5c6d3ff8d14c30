"""The ranking cannot be written: one clear error, checks go on, the old ranking stays, and the new
one appears once the fault is mended."""

import os

import harness

NAME = "api.example.com"
FOLDER = os.path.dirname(harness.RANKING)
FIRST, SECOND = "127.0.1.1", "127.0.1.2"


def left_in_folder():
    """Its files but for the lock, which stays, and the control socket."""
    return sorted(name for name in os.listdir(FOLDER) if not name.endswith((".lock", ".sock")))


class PublishFaults(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.first, self.second = self.server(FIRST), self.server(SECOND)
        self.hosts = {NAME: {"candidates": [self.first.candidate, self.second.candidate],
                             "selection": "ordered", "check": harness.QUICK}}

    def mount(self, options):
        harness.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", FOLDER)
        self.addCleanup(harness.run, "umount", FOLDER)

    def wait_checks(self, server, count):
        """Checks go on: so many more requests arrive. Takes longer than a retry to publish."""
        wanted = server.stats()["requests"] + count
        harness.wait_until(lambda: server.stats()["requests"] >= wanted, f"{count} more checks")

    def assert_stuck(self, hard, error):
        """The fault is logged once, whatever time passes."""
        failed = hard.wait_event(event="publish-failed")
        self.assertEqual(failed["level"], "err")
        self.assertIn(error, failed["error"])
        self.wait_checks(self.second, 10)
        self.assertEqual(len(hard.events(event="publish-failed")), 1)

    def assert_moves_once_mended(self, hard):
        hard.wait_event(event="publish-recovered")
        self.assert_answer(NAME, [SECOND])
        self.assertEqual(len(hard.events(event="publish-failed")), 1)
        self.assertEqual(left_in_folder(), [os.path.basename(harness.RANKING)])

    def test_folder_missing(self):
        path = f"{self.folder}/missing/ranking.db"
        hard = self.hard(self.hosts, ranking_db=path)
        self.assert_stuck(hard, os.strerror(2))
        os.mkdir(os.path.dirname(path))
        hard.wait_event(event="publish-recovered")
        self.assertEqual(harness.read_ranking(path)[NAME]["addresses"], FIRST)

    def test_read_only(self):
        self.mount("mode=755")
        hard = self.hard(self.hosts)
        self.assert_answer(NAME, [FIRST])
        harness.run("mount", "-o", "remount,ro", FOLDER)
        self.first.kill()
        self.assert_stuck(hard, os.strerror(30))
        self.assertEqual(harness.getent(NAME), [FIRST])
        harness.run("mount", "-o", "remount,rw", FOLDER)
        self.assert_moves_once_mended(hard)

    def test_full(self):
        self.mount("mode=755,size=64k")
        hard = self.hard(self.hosts)
        self.assert_answer(NAME, [FIRST])
        filler = f"{FOLDER}/filler"
        with open(filler, "wb", buffering=0) as out, self.assertRaises(OSError):
            while True:
                out.write(bytes(4096))
        self.first.kill()
        self.assert_stuck(hard, os.strerror(28))
        self.assertEqual(harness.getent(NAME), [FIRST])
        self.assertEqual(left_in_folder(), ["filler", os.path.basename(harness.RANKING)])
        os.unlink(filler)
        self.assert_moves_once_mended(hard)

    def test_folder_taken_away(self):
        os.rename(FOLDER, f"{FOLDER}.away")
        self.addCleanup(lambda: os.path.isdir(FOLDER) or os.mkdir(FOLDER))
        hard = self.hard(self.hosts)  # makes the compiled-in folder itself
        self.assert_answer(NAME, [FIRST])
        os.rename(FOLDER, f"{FOLDER}.gone")
        self.first.kill()
        self.assert_stuck(hard, os.strerror(2))
        os.rename(f"{FOLDER}.gone", FOLDER)
        self.assert_moves_once_mended(hard)


harness.main()
