"""Servers that misbehave go down, each for its own reason, and do the others no harm."""

import harness

NAME = "api.example.com"
REASONS = {
    "hang": "response-timeout",
    "drop": "closed",
    "close": "closed",
    "reset": "closed",
    "half": "closed",
    "endless-headers": "bad-status",
    "endless-body": "bad-body",
    "slow-body": "response-timeout",
    "garbage": "bad-status",
    "plain": "bad-status",
}
CHECK = {"interval": "500ms", "timeout": "1s", "body": "this is"}
RESIDENT_MAX_KIB = 32 * 1024  # a few MiB are usual


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def is_sanitized(program):
    """Address sanitizer keeps what was freed for a while."""
    with open(program, "rb") as content:
        return b"__asan_init" in content.read()


class BadServers(harness.TestCase):
    def bad_servers(self):
        """One candidate for each mode, labelled with it."""
        candidates = []
        for place, mode in enumerate(REASONS, 1):
            settings = {"delay": 500} if mode == "slow-body" else {}
            if mode == "endless-body":
                settings["body"] = "never what was asked for"
            server = self.server(f"127.0.2.{place}", mode=mode, **settings)
            candidates.append({"name": mode, **server.candidate})
        return candidates

    def test_bad_servers(self):
        good = self.server("127.0.1.1")
        hard = self.hard({NAME: {"candidates": self.bad_servers() + [good.candidate],
                                 "selection": "ordered", "check": CHECK}})
        for mode, reason in REASONS.items():
            with self.subTest(mode):
                event = hard.wait_event(event="state", candidate=mode, state="down")
                self.assertEqual(event["reason"], reason)
        self.assert_answer(NAME, ["127.0.1.1"])

        # Ten more rounds: the good one is asked on, never fails, and nothing piles up.
        wanted = good.stats()["requests"] + 10
        harness.wait_until(lambda: good.stats()["requests"] >= wanted, "ten more checks")
        self.assertEqual(hard.events(event="state", candidate="127.0.1.1", state="down"), [])
        self.assertEqual(harness.getent(NAME), ["127.0.1.1"])
        if not is_sanitized(harness.HARD):
            self.assertLess(resident_kib(hard.process.popen.pid), RESIDENT_MAX_KIB)

    def test_endless_body_is_read_no_further_than_needed(self):
        server = self.server("127.0.1.1", mode="endless-body")
        self.hard({NAME: {"candidates": [server.candidate, "127.0.1.2"], "selection": "ordered",
                          "check": CHECK}})
        self.assert_answer(NAME, ["127.0.1.1"])


harness.main()
