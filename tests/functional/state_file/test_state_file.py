"""state.db is private; one that is damaged, foreign, or cannot be read or written stops nothing, is
never overwritten, and the log says what became of it."""

import glob
import os
import stat

import harness

NAME = "api.example.com"
ADDRESS = "127.0.1.1"
STATE = harness.STATE
FOLDER = os.path.dirname(STATE)
SQLITE_S = ("-wal", "-shm")  # beside a database
WITHOUT_OVERRIDE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]


def contents(path):
    with open(path, "rb") as state:
        return state.read()


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def fill(folder):
    """Until nothing fits any more."""
    with open(f"{folder}/filler", "wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(512))
        except OSError:
            return


class StateFile(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.first = self.server(ADDRESS)
        self.hosts = {NAME: {"candidates": [self.first.candidate], "check": harness.QUICK}}

    def make_state(self):
        """One that a daemon has left."""
        self.hard(self.hosts).stop()

    def mount(self, options):
        os.makedirs(FOLDER, exist_ok=True)
        harness.run("mount", "-t", "tmpfs", "-o", options, "tmpfs", FOLDER)
        self.addCleanup(harness.run, "umount", FOLDER)

    def assert_goes_on(self, hard):
        """Answers, and moves with the servers."""
        self.assert_answer(NAME, [ADDRESS])
        self.first.kill()
        hard.wait_event(event="state", host=NAME, state="down")
        self.first.start()
        hard.wait_event(event="state", host=NAME, state="up", was="down")

    def assert_without(self, error, path=STATE, **options):
        """A daemon that remembers nothing and says why, once. Returns it."""
        hard = self.hard(self.hosts, state_db=path, **options)
        event = hard.wait_event(event="state-unusable")
        self.assertEqual((event["level"], event["path"], event["instead"]),
                         ("err", path, "nothing is remembered"))
        self.assertIn(error, event["error"])
        self.assert_goes_on(hard)
        self.assertEqual(len(hard.events(event="state-unusable")), 1)
        return hard

    def assert_private(self, umask):
        hard = self.hard(self.hosts, through=["sh", "-c", f'umask {umask}; exec "$@"', "sh"])
        parts = glob.glob(f"{STATE}*")
        self.assertGreater(len(parts), 2)  # SQLite's own are among them
        self.assertEqual({mode(part) for part in parts}, {0o600}, parts)
        self.assertEqual(mode(FOLDER), 0o700)
        hard.stop()
        self.assertEqual(mode(STATE), 0o600)

    def test_private_with_a_loose_umask(self):
        self.assert_private("0")

    def test_private_with_a_strict_umask(self):
        self.assert_private("0777")

    def damage(self, place):
        self.make_state()
        with open(STATE, "r+b") as state:
            state.seek(place)
            state.write(b"nonsense" * 1000)

    def assert_moved_aside(self, word):
        """It is kept for who wants to look at it, and another one is begun."""
        before = contents(STATE)
        hard = self.hard(self.hosts)
        event = hard.wait_event(event="state-moved-aside")
        self.assertEqual((event["level"], event["path"]), ("warning", STATE))
        self.assertIn(word, event["notice"])
        aside, = (path for path in glob.glob(f"{STATE}.damaged-*") if path[-4:] not in SQLITE_S)
        self.assertIn(aside, event["notice"])
        self.assertEqual(contents(aside), before)
        self.assert_goes_on(hard)
        hard.stop()
        self.assertEqual(harness.read_state().keys(), {(NAME, ADDRESS)})

    def test_no_database(self):
        self.damage(0)
        self.assert_moved_aside("not a state of har")

    def test_damaged(self):
        self.damage(4096)
        self.assert_moved_aside("damaged")

    def test_cut(self):
        self.make_state()
        os.truncate(STATE, os.path.getsize(STATE) // 2)
        self.assert_moved_aside("damaged")

    def test_newer(self):
        self.make_state()
        harness.run("sqlite3", STATE, "pragma user_version = 99")
        self.assert_moved_aside("a newer har")

    def test_of_another_program(self):
        os.makedirs(FOLDER, exist_ok=True)
        harness.run("sqlite3", STATE, "create table mine(mine)")
        os.chmod(STATE, 0o600)
        self.assert_moved_aside("not a state of har")

    def test_what_others_may_need_stays(self):
        path = f"{self.folder}/theirs.db"
        harness.run("sqlite3", path, "create table mine(mine)")
        before = contents(path)
        self.assert_without("not a state of har", path).stop()
        self.assertEqual(contents(path), before)

    def test_folder(self):
        os.makedirs(STATE)
        self.assert_without("not a regular file").stop()
        self.assertTrue(os.path.isdir(STATE))

    def test_fifo(self):
        os.makedirs(FOLDER, exist_ok=True)
        os.mkfifo(STATE)
        self.assert_without("not a regular file").stop()
        self.assertTrue(stat.S_ISFIFO(os.lstat(STATE).st_mode))

    def test_unreadable(self):
        self.make_state()
        before = contents(STATE)
        os.chmod(STATE, 0)
        self.assert_without(os.strerror(13), through=WITHOUT_OVERRIDE).stop()
        self.assertEqual(contents(STATE), before)

    def test_read_only(self):
        self.mount("mode=700")
        self.make_state()
        before = contents(STATE)
        harness.run("mount", "-o", "remount,ro", FOLDER)
        self.assert_without(os.strerror(30)).stop()
        self.assertEqual(contents(STATE), before)

    def test_no_folder_until_a_reload(self):
        path = f"{self.folder}/none/state.db"
        hard = self.assert_without(os.strerror(2), path)
        os.mkdir(os.path.dirname(path))
        hard.reload()
        harness.wait_until(lambda: os.path.exists(path), path)
        hard.stop()
        self.assertEqual(harness.read_state(path).keys(), {(NAME, ADDRESS)})

    def test_disk_full_from_the_start(self):
        self.mount("mode=700,size=64k")
        fill(FOLDER)
        self.assert_without("full").stop()
        self.assertEqual(set(os.listdir(FOLDER)), {"filler", "state.db.lock"})

    def test_disk_full_later(self):
        self.mount("mode=700,size=128k")
        hard = self.hard(self.hosts)
        fill(FOLDER)
        self.assert_goes_on(hard)
        hard.stop()
        event, = hard.events(event="state-not-written")
        self.assertEqual((event["level"], event["path"]), ("err", STATE))
        self.assertIn("full", event["error"])
        os.unlink(f"{FOLDER}/filler")
        hard.start()
        hard.stop()
        self.assertEqual(hard.events(event="state-moved-aside"), [])
        self.assertEqual(len(hard.events(event="state-not-written")), 1)
        self.assertEqual(harness.read_state().keys(), {(NAME, ADDRESS)})


harness.main()
