"""group_rtt_rr: those about as fast as the fastest take turns, each as often as its weight says."""

import json
import math
import socket
import sys

import harness

NAME = "api.example.com"
LOOKUPS = 4000
GROUP = {"selection": "group_rtt_rr", "group_rtt_threshold": "200ms", "check": harness.QUICK}

COUNT = """
import collections, json, socket, sys
name, family, lookups = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
counts = collections.Counter()
for _ in range(lookups):
    found = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    counts[" ".join(entry[4][0] for entry in found)] += 1
print(json.dumps(counts))
"""


def count_answers(family):
    """How often a program that asks again and again gets which answer."""
    return json.loads(harness.run(sys.executable, "-c", COUNT, NAME, str(int(family)),
                                  str(LOOKUPS)).stdout)


class Groups(harness.TestCase):
    def assert_shares(self, family, weights):
        """Within five standard deviations."""
        counts = count_answers(family)
        self.assertEqual(set(counts), set(weights))
        for address, weight in weights.items():
            share = weight / sum(weights.values())
            self.assertAlmostEqual(counts[address], LOOKUPS * share,
                                   delta=5 * math.sqrt(LOOKUPS * share * (1 - share)))

    def wait_weights(self, weights):
        harness.wait_until(lambda: harness.read_ranking()[NAME]["weights"] == weights,
                           f"weights {weights}")

    def test_members_take_turns_by_weight(self):
        first, second, third = (self.server(f"127.0.1.{place}") for place in (1, 2, 3))
        slow = self.server("127.0.1.4", delay=500)
        self.hard({NAME: {**GROUP, "candidates": [
            slow.candidate, first.candidate, {**second.candidate, "weight": 300},
            {**third.candidate, "weight": 600}]}})
        self.wait_weights("100 300 600")
        self.assert_shares(socket.AF_INET,
                           {"127.0.1.1": 100, "127.0.1.2": 300, "127.0.1.3": 600})
        third.kill()
        self.wait_weights("100 300")
        self.assert_shares(socket.AF_UNSPEC, {"127.0.1.1": 100, "127.0.1.2": 300})
        slow.set(delay=0)
        self.wait_weights("100 100 300")
        first.kill()
        second.kill()
        self.wait_weights("100")
        self.assert_shares(socket.AF_UNSPEC, {"127.0.1.4": 1})

    def test_families(self):
        """A family has a group of its own; who asks for both gets one of those near the fastest."""
        if not harness.have_ipv6():
            self.skipTest("no IPv6 here")
        four, six = self.server("127.0.1.1"), self.server(harness.IPV6[0])
        slow, slower = (self.server(harness.IPV6[place], delay=delay)
                        for place, delay in ((1, 120), (2, 260)))
        self.hard({NAME: {**GROUP, "candidates": [server.candidate for server in
                                                  (four, six, slow, slower)]}})
        self.wait_weights("100 100 100")
        self.assert_shares(socket.AF_UNSPEC,
                           {"127.0.1.1": 1, harness.IPV6[0]: 1, harness.IPV6[1]: 1})
        self.assert_shares(socket.AF_INET, {"127.0.1.1": 1})
        six.kill()
        self.wait_weights("100 100 -100")
        self.assert_shares(socket.AF_UNSPEC, {"127.0.1.1": 1, harness.IPV6[1]: 1})
        self.assert_shares(socket.AF_INET6, {harness.IPV6[1]: 1, harness.IPV6[2]: 1})


harness.main()
