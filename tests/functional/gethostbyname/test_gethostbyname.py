"""gethostbyname(3) and its kin: names, aliases, either family, and h_errno when there is nothing."""

import harness

V4, V6 = "192.0.2.10", "2001:db8::10"
FROM_DNS = "192.0.2.53"
CALLS4 = ["gethostbyname", "gethostbyname2-4", "gethostbyname2_r-4"]
CALLS6 = ["gethostbyname2-6", "gethostbyname2_r-6"]

harness.require("sqlite3")


class GetHostByName(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dns = harness.Dns(FROM_DNS)

    def assert_says(self, calls, name, text):
        for call in calls:
            with self.subTest(f"{call} {name}"):
                self.assertEqual(harness.look_up(call, name), text)

    def test_answers(self):
        self.hard({"api.example.com": {"candidates": [V6, V4], "aliases": ["Rest.example.com"]}},
                  defaults={"check": {"type": "none"}})
        for name, aliases in (("api.example.com", "[]"), ("API.Example.COM.", "[]"),
                              ("rest.example.com", "[rest.example.com]")):
            self.assert_says(CALLS4, name, f"api.example.com {aliases} {V4}")
            self.assert_says(CALLS6, name, f"api.example.com {aliases} {V6}")

    def test_errors(self):
        self.hard({
            "only4.example.com": {"candidates": [V4]},
            "only6.example.com": {"candidates": [V6]},
            "failing.example.com": {"candidates": ["127.0.1.1"], "failure_mode": "none",
                                    "check": {"type": "tcp", "port": 9}},
        }, defaults={"check": {"type": "none"}})
        harness.wait_until(lambda: harness.read_ranking()["failing.example.com"]["status"] == "fail",
                           "nobody listens on that port")
        self.assert_says(CALLS4, "only4.example.com", f"only4.example.com [] {V4}")
        self.assert_says(CALLS6, "only4.example.com", "NO_DATA")
        self.assert_says(CALLS4, "only6.example.com", "NO_DATA")
        self.assert_says(CALLS6, "only6.example.com", f"only6.example.com [] {V6}")
        self.assert_says(CALLS4 + CALLS6, "failing.example.com", "TRY_AGAIN")
        self.assertEqual(self.dns.asked, [])
        self.assert_says(CALLS4, "other.example.com", f"other.example.com [] {FROM_DNS}")
        harness.set_nsswitch("files har")
        self.addCleanup(harness.set_nsswitch)
        self.assert_says(CALLS4 + CALLS6, "other.example.com", "NO_RECOVERY")

    def test_follows_the_live_server(self):
        first, second = self.server("127.0.1.1"), self.server("127.0.1.2")
        self.hard({"api.example.com": {"candidates": [first.candidate, second.candidate],
                                       "selection": "ordered", "check": harness.QUICK}})
        self.assert_says(CALLS4, "api.example.com", "api.example.com [] 127.0.1.1")
        first.kill()
        self.assert_answer("api.example.com", ["127.0.1.2"])
        self.assert_says(CALLS4, "api.example.com", "api.example.com [] 127.0.1.2")


harness.main()
