"""With every candidate dead, failure_mode says what a name resolves to."""

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

    def pair(self, **more):
        """Two servers, the first of which is preferred, and a host of them."""
        servers = [self.server(f"127.0.1.{place}") for place in (1, 2)]
        return servers, {"candidates": [server.candidate for server in servers],
                         "selection": "ordered", "check": harness.QUICK, **more}

    def wait_failing(self, hard):
        hard.wait_event(event="answer", eligible="no")

    def test_last(self):
        """The last good answer stands, in this run of the daemon and in the next one."""
        name = "last.example.com"
        (first, second), host = self.pair(failure_mode="last")
        hard = self.hard({name: host})
        self.assert_answer(name, ["127.0.1.1"])
        first.kill()
        self.assert_answer(name, ["127.0.1.2"])
        second.kill()
        self.wait_failing(hard)
        self.assertEqual(harness.getent(name), ["127.0.1.2"])
        for end in (hard.stop, hard.kill):
            end()
            hard.start()
            self.wait_failing(hard)
            self.assertEqual(harness.getent(name), ["127.0.1.2"])
        first.start()
        self.assert_answer(name, ["127.0.1.1"])

    def test_forward(self):
        """The next service of nsswitch.conf answers, for as long as nobody is there."""
        name, from_dns = "forward.example.com", "192.0.2.53"
        dns = harness.Dns(from_dns)
        (first, second), host = self.pair(failure_mode="forward")
        self.hard({name: host})
        self.assertEqual(harness.getent(name, service=None), ["127.0.1.1"])
        self.assertEqual(dns.asked, [])
        first.kill()
        second.kill()
        self.assert_answer(name, [from_dns], service=None)
        self.assertEqual(harness.getent(name), [])
        self.assertEqual(harness.read_ranking()[name]["status"], "forward")
        second.start()
        self.assert_answer(name, ["127.0.1.2"], service=None)


harness.main()
