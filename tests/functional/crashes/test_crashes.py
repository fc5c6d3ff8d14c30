"""A daemon killed at any moment leaves a whole ranking, and a program that looks up names all the
while never notices.

40 kills, or 500 when HAR_LONG is set, at moments that HAR_TEST_SEED=N chooses again."""

import contextlib
import os
import random
import sqlite3
import time

import harness

KILLS = 500 if os.environ.get("HAR_LONG") else 40
SEED = os.environ.get("HAR_TEST_SEED") or str(random.randrange(10 ** 9))
ADDRESSES = ["127.0.1.1", "127.0.1.2"]
FOLDER = os.path.dirname(harness.RANKING)
NEW = f"{harness.RANKING}.new"
FILES = {harness.RANKING, f"{harness.RANKING}.lock"}
SOCKET = {harness.CONTROL, f"{harness.CONTROL}.new"}  # perhaps; the next daemon replaces them


def identity():
    """Another for each publication."""
    status = os.stat(harness.RANKING)
    return status.st_ino, status.st_mtime_ns


def wait_published(count=1):
    """Until so many more rankings have stood there."""
    seen = {identity()}
    harness.wait_until(lambda: seen.add(identity()) or len(seen) > count, f"{count} rankings")


def files():
    return {os.path.join(FOLDER, name) for name in os.listdir(FOLDER)}


class Crashes(harness.TestCase):
    def hosts(self):
        """Most are quiet. The others have the faster of two servers that are equal, so that now
        one answers and now the other: no difference is too small, and no switch too soon."""
        servers = [self.server(address) for address in ADDRESSES]
        quiet = {f"quiet{number}.example.com": {"candidates": ADDRESSES,
                                                "check": {"type": "none"}}
                 for number in range(300)}
        restless = {f"restless{number}.example.com": {
            "candidates": [{"address": server.address,
                            "check": {"type": "tcp", "port": server.port}} for server in servers],
            "switch_margin": 0, "switch_ratio": 0, "switch_hold": 0,
            "check": {"type": "tcp", "port": 1, "interval": "100ms", "timeout": "5s"}}
            for number in range(40)}
        return quiet | restless

    def kill_somewhere(self, hard):
        """One in four while it starts; the others in the time of some publications."""
        starts = random.random() < 0.25
        before = identity()
        hard.start(wait_ready=not starts)
        if not starts:
            harness.wait_until(lambda: identity() != before, "a publication of this run")
        time.sleep(random.uniform(0, 0.05))
        hard.kill()

    def assert_whole(self, names):
        with contextlib.closing(sqlite3.connect(f"file:{harness.RANKING}?mode=ro", uri=True)) as db:
            for pragma, expected in (("integrity_check", "ok"), ("application_id", 0x68617221),
                                     ("user_version", 1)):
                self.assertEqual(db.execute(f"PRAGMA {pragma}").fetchall(), [(expected,)])
            rows = dict(db.execute("SELECT name, addresses FROM answer"))
        self.assertEqual(rows.keys(), set(names))
        self.assertLessEqual(set(rows.values()), set(ADDRESSES))

    def test_killed_at_any_moment(self):
        print("HAR_TEST_SEED", SEED)
        random.seed(SEED)
        hosts = self.hosts()
        hard = self.hard(hosts)
        reader = harness.Reader(self.path("reader"), {name: ADDRESSES for name in hosts})
        self.addCleanup(reader.kill)
        wait_published(20)  # in seconds, though they need to be renewed once a minute only
        hard.kill()
        for _ in range(KILLS):
            self.kill_somewhere(hard)
            self.assert_whole(hosts)
            self.assertIsNone(reader.popen.poll(), reader.log_text())
            self.assertLessEqual(files(), FILES | {NEW} | SOCKET)
            if random.random() < 0.5:  # which chance hardly ever leaves
                with open(harness.RANKING, "rb") as whole, open(NEW, "wb") as part:
                    part.write(whole.read(random.randrange(os.stat(harness.RANKING).st_size)))

        hard.start()
        wait_published()
        hard.stop()
        self.assert_whole(hosts)
        self.assertEqual(files() - SOCKET, FILES)
        reader.stop()


harness.main()
