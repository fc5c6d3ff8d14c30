"""What is asked for and what comes back: aliases, case, families, several answers, no data."""

import socket

import harness

FIRST6, SECOND6 = harness.IPV6[:2]


class Names(harness.TestCase):
    def need_ipv6(self):
        if not harness.have_ipv6():
            self.skipTest("no IPv6 here")

    def test_aliases_case_and_trailing_dot(self):
        server = self.server("127.0.1.1")
        self.hard({"API.example.com.": {"candidates": [server.candidate],
                                        "aliases": ["Rest.example.com", "api"]}})
        for name in ("api.example.com", "API.EXAMPLE.COM", "api.example.com.", "rest.example.com",
                     "api"):
            with self.subTest(name):
                self.assertEqual(harness.getent(name), ["127.0.1.1"])
        for name in ("example.com", "x.api.example.com", "api.example.co", "rest"):
            with self.subTest(name):
                self.assertEqual(harness.getent(name), [])

    def test_canonical_name_of_an_alias(self):
        server = self.server("127.0.1.1")
        self.hard({"api.example.com": {"candidates": [server.candidate], "aliases": ["api"]}})
        done = harness.run("getent", "-s", "hosts:har", "ahosts", "api")
        self.assertEqual(done.stdout.split()[2], "api.example.com")

    def test_families(self):
        """The best of all for AF_UNSPEC, the best of the family otherwise."""
        self.need_ipv6()
        slow4, fast4 = self.server("127.0.1.1", delay=80), self.server("127.0.1.2", delay=40)
        slow6, fast6 = self.server(SECOND6, delay=60), self.server(FIRST6, delay=5)
        self.hard({"api.example.com": {
            "candidates": [server.candidate for server in (slow4, slow6, fast4, fast6)],
            "check": harness.QUICK}})
        self.assert_answer("api.example.com", [FIRST6])
        self.assertEqual(harness.getaddrinfo("api.example.com", socket.AF_INET), ["127.0.1.2"])
        self.assertEqual(harness.getaddrinfo("api.example.com", socket.AF_INET6), [FIRST6])
        fast6.kill()
        self.assert_answer("api.example.com", ["127.0.1.2"])
        self.assertEqual(harness.getaddrinfo("api.example.com", socket.AF_INET6), [SECOND6])

    def test_no_address_of_a_family(self):
        """That is an answer too: no other service is asked."""
        self.need_ipv6()
        harness.write("/etc/hosts",
                      "2001:db8::bad only4.example.com\n192.0.2.66 only6.example.com\n")
        harness.set_nsswitch("har [!UNAVAIL=return] files")
        self.addCleanup(harness.set_nsswitch)
        four, six = self.server("127.0.1.1"), self.server(FIRST6)
        self.hard({"only4.example.com": {"candidates": [four.candidate]},
                   "only6.example.com": {"candidates": [six.candidate]}})
        for name, family in (("only4", socket.AF_INET6), ("only6", socket.AF_INET)):
            self.assertEqual(harness.getaddrinfo(f"{name}.example.com", family), socket.EAI_NODATA)
        self.assertEqual(harness.getaddrinfo("only4.example.com"), ["127.0.1.1"])
        self.assertEqual(harness.getaddrinfo("only6.example.com"), [FIRST6])

    def test_several_answers(self):
        servers = [self.server(f"127.0.1.{place}", delay=30 * place) for place in (3, 1, 2)]
        host = {"candidates": [server.candidate for server in servers],
                "check": harness.QUICK}
        self.hard({"two.example.com": {**host, "answers": 2}})
        self.assert_answer("two.example.com", ["127.0.1.1", "127.0.1.2"])
        servers[1].kill()
        self.assert_answer("two.example.com", ["127.0.1.2", "127.0.1.3"])

    def test_priority_comes_before_latency(self):
        main, backup = self.server("127.0.1.1", delay=60), self.server("127.0.1.2")
        self.hard({"api.example.com": {
            "candidates": [{**backup.candidate, "priority": 1}, main.candidate],
            "check": harness.QUICK}})
        self.assert_answer("api.example.com", ["127.0.1.1"])
        main.kill()
        self.assert_answer("api.example.com", ["127.0.1.2"])
        main.start()
        self.assert_answer("api.example.com", ["127.0.1.1"])

    def test_max_rtt_excludes_the_slow(self):
        slow, fast = self.server("127.0.1.1", delay=200), self.server("127.0.1.2")
        self.hard({"api.example.com": {
            "candidates": [slow.candidate, fast.candidate], "selection": "ordered",
            "max_rtt": "100ms", "check": harness.QUICK}})
        self.assert_answer("api.example.com", ["127.0.1.2"])
        slow.set(delay=0)
        self.assert_answer("api.example.com", ["127.0.1.1"])


harness.main()
