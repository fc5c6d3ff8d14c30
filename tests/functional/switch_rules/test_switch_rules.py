"""The best server is not left for a trifle, nor too soon after the last time; a dead one is."""

import harness

NAME = "api.example.com"
ROUNDS = 9  # then a change of latency has come through, but for 8 % of the old one
CHECK = {"interval": "100ms", "timeout": "5s"}


class SwitchRules(harness.TestCase):
    def start(self, **rules):
        """The first server leads, and would whatever else the machine does at that moment."""
        self.servers = [self.server("127.0.1.1"), self.server("127.0.1.2", delay=400)]
        hard = self.hard(self.hosts(**rules), "-vv")
        self.assert_answer(NAME, ["127.0.1.1"])
        return hard

    def set_delays(self, *delays_ms):
        for server, delay in zip(self.servers, delays_ms):
            server.set(delay=delay)

    def hosts(self, **rules):
        return {NAME: {"candidates": [server.candidate for server in self.servers],
                       "check": CHECK, **rules}}

    def checks(self, hard):
        return [len(hard.events(event="check", candidate=server.address))
                for server in self.servers]

    def assert_stays(self, hard, address):
        """So many checks of each later it still answers, and did all the time."""
        before, answers = self.checks(hard), len(hard.events(event="answer"))
        harness.wait_until(lambda: all(now >= was + ROUNDS for now, was in
                                       zip(self.checks(hard), before)), f"{ROUNDS} checks of each")
        self.assertEqual(harness.getent(NAME), [address])
        self.assertEqual(len(hard.events(event="answer")), answers)

    def test_margin_and_hold(self):
        hard = self.start(switch_margin="150ms", switch_ratio=0, switch_hold="1h")
        self.set_delays(100, 60)
        self.assert_stays(hard, "127.0.1.1")
        self.set_delays(300, 60)
        self.assert_answer(NAME, ["127.0.1.2"])
        self.set_delays(0, 300)  # but so soon
        self.assert_stays(hard, "127.0.1.2")
        self.servers[1].kill()
        self.assert_answer(NAME, ["127.0.1.1"])

    def test_ratio(self):
        hard = self.start(switch_margin=0, switch_ratio=0.8, switch_hold=0)
        self.set_delays(160, 100)
        self.assert_stays(hard, "127.0.1.1")
        self.set_delays(160, 0)
        self.assert_answer(NAME, ["127.0.1.2"])
        self.set_delays(0, 300)
        self.assert_answer(NAME, ["127.0.1.1"])

    def test_reload(self):
        """It keeps the leader and the hold; other rules count at once."""
        hard = self.start(switch_margin="20ms", switch_hold="1h")
        self.set_delays(200, 0)
        self.assert_answer(NAME, ["127.0.1.2"])
        self.set_delays(0, 300)
        hard.reload()
        hard.wait_event(event="reload")
        self.assert_stays(hard, "127.0.1.2")
        hard.configure({"hosts": self.hosts(switch_margin="20ms", switch_hold=0)})
        hard.reload()
        self.assert_answer(NAME, ["127.0.1.1"])

    def test_restart(self):
        """A leader of the run before leads on."""
        hard = self.start(switch_margin="5s", switch_ratio=0)
        self.set_delays(200, 0)
        hard.stop()
        hard.start()
        self.assert_stays(hard, "127.0.1.1")


harness.main()
