"""A ranking outlives its daemon by max_stale and no longer; a restarted daemon goes on from it."""

import harness

NAME = "api.example.com"
FROM_DNS = "192.0.2.53"


class Stale(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dns = harness.Dns(FROM_DNS)

    def pair(self):
        return [self.server("127.0.1.1"), self.server("127.0.1.2")]

    def start(self, servers, **top):
        return self.hard({NAME: {"candidates": [server.candidate for server in servers],
                                 "selection": "ordered",
                                 "check": {"interval": "200ms", "timeout": "2s"}}}, "-vv", **top)

    def test_next_service_answers_once_the_ranking_expired(self):
        hard = self.start(self.pair(), max_stale="3s")
        self.assertEqual(harness.getent("other.example.com", service=None), [FROM_DNS])
        self.assertEqual(harness.getent(NAME, service=None), ["127.0.1.1"])
        hard.kill()
        self.assertEqual(harness.getent(NAME, service=None), ["127.0.1.1"])
        self.assert_answer(NAME, [FROM_DNS], service=None)
        self.assertEqual(harness.getent(NAME), [])
        hard.start()
        self.assert_answer(NAME, ["127.0.1.1"], service=None)

    def test_ranking_is_renewed_before_it_expires(self):
        self.start(self.pair(), max_stale="2s")
        first = harness.read_ranking()[NAME]["expires"]

        def renewed():
            self.assertEqual(harness.getent(NAME), ["127.0.1.1"])
            return harness.read_ranking()[NAME]["expires"] > first + 2
        harness.wait_until(renewed, "a renewal past the first expiry")

    def assert_last_ranking_stands_after(self, end_of):
        first, second = self.pair()
        hard = self.start([first, second])
        first.kill()
        self.assert_answer(NAME, ["127.0.1.2"])
        end_of(hard)
        first.settings = {"mode": "hang"}  # so that nothing is known until the timeout
        first.start()
        second.set(mode="hang")
        published = len(hard.events(event="published"))
        hard.start(wait_ready=False)
        hard.wait_event(event="published", count=published + 1)
        self.assertEqual(harness.getent(NAME), ["127.0.1.2"])
        self.assertEqual(hard.events(event="state", was="unknown", reason="response-timeout"), [])
        first.set(mode="ok")
        second.set(mode="ok")
        self.assert_answer(NAME, ["127.0.1.1"])

    def test_last_ranking_stands_after_a_restart(self):
        self.assert_last_ranking_stands_after(harness.Hard.stop)

    def test_last_ranking_stands_after_a_crash(self):
        self.assert_last_ranking_stands_after(harness.Hard.kill)

    def test_missing_and_damaged_rankings_are_passed_over(self):
        self.assertEqual(harness.getent(NAME, service=None), [FROM_DNS])
        harness.write(harness.RANKING, "this is no ranking\n" * 1000)
        self.assertEqual(harness.getent(NAME, service=None), [FROM_DNS])
        hard = self.start(self.pair())
        self.assertEqual(harness.getent(NAME, service=None), ["127.0.1.1"])
        self.assertEqual(len(hard.events(event="last-ranking-unusable")), 1)


harness.main()
