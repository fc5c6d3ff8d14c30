"""The published file is a sound SQLite database that reads well, at any moment, for anyone."""

import os
import stat

import harness

AS_PEOPLE_TYPE_IT = ["sqlite3", "-readonly", harness.RANKING]

harness.require("sqlite3")


class PublishedFile(harness.TestCase):
    def test_reads_well(self):
        servers = [self.server("127.0.1.1"), self.server("127.0.1.2")]
        os.umask(0o077)
        self.addCleanup(os.umask, 0o022)
        self.hard({"api.example.com": {
            "candidates": [server.candidate for server in servers], "selection": "ordered",
            "aliases": ["api"], "answers": 2, "check": harness.QUICK}})
        rows = harness.read_ranking()
        self.assertEqual(list(rows), ["api", "api.example.com"])
        for row in rows.values():
            self.assertEqual((row["status"], row["addresses"], row["answers"]),
                             ("answer", "127.0.1.1 127.0.1.2", 2))
        self.assertEqual(rows["api"]["alias_of"], "api.example.com")
        self.assertIsNone(rows["api.example.com"]["alias_of"])

        text = harness.run(*AS_PEOPLE_TYPE_IT, "select * from answer").stdout.splitlines()[0]
        self.assertRegex(text, r"^api\|answer\|127.0.1.1 127.0.1.2\|2\|api.example.com\|\d+\|$")
        self.assertEqual(stat.S_IMODE(os.stat(harness.RANKING).st_mode), 0o644)

    def test_every_publication_is_sound(self):
        """Read again and again while hard renews it ten times a second."""
        self.hard({f"host{number}.example.com": {"candidates": ["127.0.1.1", "127.0.1.2"]}
                   for number in range(200)},
                  defaults={"check": {"type": "none"}}, max_stale="1s")
        seen = set()
        while len(seen) < 5:
            status = os.stat(harness.RANKING)
            seen.add((status.st_ino, status.st_mtime_ns))
            done = harness.run(*AS_PEOPLE_TYPE_IT, "pragma integrity_check",
                               "select count(*) from answer")
            self.assertEqual(done.stdout.split(), ["ok", "200"])


harness.main()
