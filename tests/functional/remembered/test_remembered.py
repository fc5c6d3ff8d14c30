"""What the daemon knew survives its end: health, latency, counters and the last good answer come
back from state.db, while they are recent and the question is the same."""

import os

import harness

FASTEST, FIRST, LAST = "fastest.example.com", "first.example.com", "last.example.com"
SLOW, FAST, DEAD, GONE = "127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.1.4"
PLACES = {(FASTEST, SLOW), (FASTEST, FAST), (FIRST, DEAD), (FIRST, FAST), (LAST, DEAD),
          (LAST, GONE)}


def sql(query, path=harness.STATE):
    harness.run("sqlite3", path, query)


def age(seconds):
    """As if the daemon had ended so long ago."""
    sql("update endpoint set " + ", ".join(
        f"{column} = max({column} - {seconds}, 0)"
        for column in ("since", "last_success", "last_failure")))


class Remembered(harness.TestCase):
    """A daemon that knows all there is: two servers are dead, one is slow. What is written first is
    never the best, so that who knows nothing gives another answer."""

    def setUp(self):
        super().setUp()
        self.servers = {address: self.server(address, delay=100 if address == SLOW else 0)
                        for address in (SLOW, FAST, DEAD, GONE)}
        slow, fast, dead, gone = (server.candidate for server in self.servers.values())
        self.hosts = {FASTEST: {"candidates": [slow, fast]},
                      FIRST: {"candidates": [dead, fast], "selection": "ordered"},
                      LAST: {"candidates": [dead, gone], "selection": "ordered",
                             "failure_mode": "last"}}
        self.top = {"defaults": {"check": {**harness.QUICK, "timeout": "15s"}}}

    def learn(self, **top):
        hard = self.hard(self.hosts, "-v", **self.top, **top)
        for address in (DEAD, GONE):
            self.servers[address].kill()
            hard.wait_event(event="state", host=LAST, address=address, state="down")
        hard.wait_event(event="state", host=FIRST, state="down")
        self.assert_answers(FAST, FAST, GONE)
        return hard

    def assert_answers(self, *addresses):
        for name, address in zip((FASTEST, FIRST, LAST), addresses):
            self.assert_answer(name, [address])

    def configure(self, hard, hosts, **top):
        hard.configure({"hosts": hosts, **self.top, **top})

    def restart_servers(self, mode):
        for server in self.servers.values():
            server.kill()
            server.settings["mode"] = mode
            server.start()

    def go_on(self, hard):
        """Starts it again without a ranking, while no check ends: what it says is what it knows."""
        os.unlink(harness.RANKING)
        self.restart_servers("hang")
        self.known = len(hard.events(event="state"))
        hard.start(wait_ready=False)

    def first_answers(self):
        return [harness.wait_until(lambda: harness.getent(name), f"an answer for {name}")[0]
                for name in (FASTEST, FIRST, LAST)]

    def end(self, hard):
        """The checks that hang end, further ones succeed, and all of it is written."""
        self.restart_servers("ok")
        hard.wait_event(event="ready", count=2)
        hard.wait_event(event="state", host=LAST, address=GONE, state="up", count=2)
        self.assert_answers(FAST, DEAD, DEAD)
        for server in self.servers.values():  # two checks of each that is asked by two hosts
            harness.wait_until(lambda: server.stats()["requests"] >= 5, "further checks")
        hard.stop()

    def met_anew(self, hard):
        """Of which endpoints a check since go_on was the first."""
        return {(event["host"], event["address"])
                for event in hard.events(event="state")[self.known:] if event["was"] == "unknown"}

    def have_written(self, hard):
        """So many transitions are not kept in memory: all is written, long before it is time."""
        crowd = {f"crowd{number}.example.com": {
            "candidates": [f"127.9.{number}.{place}" for place in range(250)],
            "check": {"type": "tcp", "port": 1}} for number in range(3)}
        self.configure(hard, {**self.hosts, **crowd})
        hard.reload()
        harness.wait_until(lambda: harness.read_state().keys() > PLACES, "all in the state")
        self.configure(hard, self.hosts)

    def assert_remembered(self, hard):
        before = harness.read_state()
        self.go_on(hard)
        self.assertEqual(self.first_answers(), [FAST, FAST, GONE])
        self.end(hard)
        self.assertEqual(self.met_anew(hard), set())
        after = harness.read_state()
        self.assertEqual(set(after), PLACES)
        for place, row in after.items():
            self.assertGreater(row["successes"], before[place]["successes"], place)
            self.assertGreaterEqual(row["connect_errors"], before[place]["connect_errors"], place)
        for place in ((FASTEST, FAST), (FIRST, FAST)):  # a second is lost in rounding
            self.assertAlmostEqual(after[place]["since"], before[place]["since"], delta=2)
        self.assertGreater(before[FIRST, DEAD]["connect_errors"], 0)

    def test_after_a_stop(self):
        hard = self.learn()
        hard.stop()
        age(300)
        self.assert_remembered(hard)

    def test_after_a_crash(self):
        hard = self.learn()
        self.have_written(hard)
        hard.kill()
        self.assert_remembered(hard)

    def test_an_old_state_counts_on_and_knows_no_health(self):
        hard = self.learn()
        hard.stop()
        age(3600)
        before = harness.read_state()
        self.go_on(hard)
        self.assertEqual(self.first_answers(), [SLOW, DEAD, DEAD])
        self.end(hard)
        self.assertEqual(self.met_anew(hard), PLACES)
        for place, row in harness.read_state().items():
            self.assertGreater(row["successes"], before[place]["successes"], place)
            self.assertGreater(row["since"], before[place]["since"] + 3000, place)

    def test_another_question_is_begun_anew(self):
        hard = self.learn()
        hard.stop()
        before = harness.read_state()
        other = {**self.hosts[FASTEST], "check": {"path": "/health"}}
        self.configure(hard, {**self.hosts, FASTEST: other})
        self.go_on(hard)
        self.assertEqual(self.first_answers(), [SLOW, FAST, GONE])
        self.end(hard)
        self.assertEqual(self.met_anew(hard), {(FASTEST, SLOW), (FASTEST, FAST)})
        after = harness.read_state()
        self.assertGreater(after[FIRST, FAST]["successes"], before[FIRST, FAST]["successes"])
        self.assertGreaterEqual(after[FASTEST, FAST]["since"],
                                before[FASTEST, FAST]["last_success"])

    def test_who_was_removed_is_forgotten(self):
        """While it runs, and while it does not."""
        hard = self.learn()
        del self.hosts[LAST]
        self.configure(hard, self.hosts)
        hard.reload()
        self.assert_answer(LAST, [])
        hard.stop()
        self.assertEqual(harness.read_state().keys(), PLACES - {(LAST, DEAD), (LAST, GONE)})
        self.assertEqual(harness.select(harness.STATE, "select * from answer"), [])

        del self.hosts[FIRST]
        self.hosts[FASTEST]["candidates"].pop(0)
        self.configure(hard, self.hosts)
        hard.start()
        hard.stop()
        self.assertEqual(harness.read_state().keys(), {(FASTEST, FAST)})

    def test_another_place_gets_all_of_it(self):
        elsewhere, bad = f"{self.folder}/state.db", f"{self.folder}/none/state.db"
        hard = self.learn()
        self.configure(hard, self.hosts, state_db=bad)
        hard.reload()
        event = hard.wait_event(event="state-unusable", path=bad)
        self.assertEqual(event["instead"], harness.STATE)
        self.configure(hard, self.hosts, state_db=elsewhere)
        hard.reload()
        harness.wait_until(lambda: os.path.exists(elsewhere), elsewhere)
        self.assert_answers(FAST, FAST, GONE)
        hard.stop()
        history = "select time, host, address, was, state from transition order by id"
        self.assertEqual(harness.select(elsewhere, history), harness.select(harness.STATE, history))
        os.unlink(harness.STATE)
        self.assertEqual(harness.read_state(elsewhere).keys(), PLACES)
        self.go_on(hard)
        self.assertEqual(self.first_answers(), [FAST, FAST, GONE])
        self.end(hard)
        self.assertFalse(os.path.exists(harness.STATE))

    def test_what_another_place_held_counts_no_more(self):
        """It is older than what the daemon knows, be it a word of the operator."""
        elsewhere = f"{self.folder}/state.db"
        hard = self.learn(state_db=elsewhere)
        hard.stop()
        sql(f"insert into override values('{FASTEST}', '{FAST}', 'drain', 1, 0, 'upgrade')",
            elsewhere)
        hard.start()
        self.assert_answer(FASTEST, [SLOW])
        hard.stop()
        self.configure(hard, self.hosts)
        hard.start()
        self.assert_answer(FASTEST, [FAST])
        self.configure(hard, self.hosts, state_db=elsewhere)
        hard.reload()
        hard.wait_event(event="reload")
        hard.stop()
        hard.start()
        self.assert_answer(FASTEST, [FAST])
        hard.stop()
        self.assertEqual(harness.select(elsewhere, "select * from override"), [])


harness.main()
