"""family: which addresses a name has, and whom hard checks for it."""

import socket

import harness

SIX = harness.IPV6[0]


def answers(name):
    """For both families, IPv4 alone and IPv6 alone."""
    return [harness.getaddrinfo(name, family)
            for family in (socket.AF_UNSPEC, socket.AF_INET, socket.AF_INET6)]


class Families(harness.TestCase):
    def setUp(self):
        super().setUp()
        if not harness.have_ipv6():
            self.skipTest("no IPv6 here")

    def test_one_family_alone(self):
        four, six = self.server("127.0.1.1"), self.server(SIX)
        host = {"candidates": [four.candidate, six.candidate], "check": harness.QUICK}
        self.hard({"four.example.com": {**host, "family": "ipv4"}})
        self.assertEqual(answers("four.example.com"),
                         [["127.0.1.1"], ["127.0.1.1"], socket.EAI_NODATA])
        self.assertEqual(six.stats()["requests"], 0)  # whom it cannot answer it does not check
        four.kill()
        harness.wait_until(lambda: harness.read_ranking()["four.example.com"]["answers"] == 16,
                           "failure_mode")
        self.assertEqual(answers("four.example.com"),
                         [["127.0.1.1"], ["127.0.1.1"], socket.EAI_NODATA])

    def test_the_winners_family(self):
        four, six = self.server("127.0.1.1", delay=100), self.server(SIX)
        self.hard({"best.example.com": {"candidates": [four.candidate, six.candidate],
                                        "family": "best", "check": harness.QUICK}})
        self.assertEqual(answers("best.example.com"), [[SIX], socket.EAI_NODATA, [SIX]])
        six.kill()
        self.assert_answer("best.example.com", ["127.0.1.1"])
        self.assertEqual(answers("best.example.com"),
                         [["127.0.1.1"], ["127.0.1.1"], socket.EAI_NODATA])
        six.start()
        self.assert_answer("best.example.com", [SIX])


harness.main()
