"""With every candidate dead, failure_mode says what a name resolves to: all, none, or an array."""

import socket

import harness


class FailureModes(harness.TestCase):
    def test_failure_modes(self):
        # Ranked by priority, against the order written: latency depends on how busy a machine is.
        servers = [self.server(f"127.0.1.{place}") for place in (3, 2, 1)]
        host = {"candidates": [{**server.candidate, "priority": priority}
                               for server, priority in zip(servers, (2, 1, 0))]}
        hard = self.hard({
            "all.example.com": host,
            "none.example.com": {**host, "failure_mode": "none"},
            "array.example.com": {**host, "failure_mode": ["192.0.2.7", "2001:db8::7"]},
        }, defaults={"check": harness.QUICK})
        for name in ("all", "none", "array"):
            self.assert_answer(f"{name}.example.com", ["127.0.1.1"])

        for server in servers:
            server.kill()
        # Best known first: in the ranking. getaddrinfo sorts what it gets in an order of its own.
        harness.wait_until(lambda: harness.read_ranking()["all.example.com"]["addresses"]
                           == "127.0.1.1 127.0.1.2 127.0.1.3", "every candidate, best known first")
        self.assertEqual(sorted(harness.getent("all.example.com")),
                         ["127.0.1.1", "127.0.1.2", "127.0.1.3"])
        self.assert_answer("none.example.com", [])
        self.assertEqual(harness.getaddrinfo("none.example.com"), socket.EAI_AGAIN)
        harness.wait_until(lambda: harness.getaddrinfo("array.example.com", socket.AF_INET)
                           == ["192.0.2.7"], "the IPv4 address of the array")
        self.assertEqual(harness.getaddrinfo("array.example.com", socket.AF_INET6), ["2001:db8::7"])

        servers[0].start()
        for name in ("all", "none", "array"):
            self.assert_answer(f"{name}.example.com", ["127.0.1.3"])
        self.assertEqual(len(hard.events(event="state", state="down")), 9)


harness.main()
