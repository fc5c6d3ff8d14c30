"""tcp and tls checks: a connection is enough, unless `send` and `expect` ask for a conversation."""

import harness

HTTP_REQUEST = "GET / HTTP/1.0\r\n\r\n"

harness.require("nginx", "openssl")


class TcpTls(harness.TestCase):
    def assert_states(self, check, servers, expected):
        """One host for each server. expected: label to the reason of its first result."""
        hard = self.hard({f"{label}.example.com": {"candidates": [server.candidate]}
                          for label, server in servers.items()},
                         "-v", defaults={"check": {"interval": "1s", "timeout": "500ms", **check}})
        for label, reason in expected.items():
            with self.subTest(label):
                event = hard.wait_event(event="state", host=f"{label}.example.com", was="unknown")
                self.assertEqual(event["reason"], reason)
                self.assertEqual(event["state"], "up" if reason == "ok" else "down")

    def test_tcp_is_up_when_it_accepts(self):
        dead = self.server("127.0.1.3")
        dead.kill()
        self.assert_states({"type": "tcp", "port": 1},
                           {"silent": self.server("127.0.1.1", mode="hang"),
                            "closing": self.server("127.0.1.2", mode="drop"), "dead": dead},
                           {"silent": "ok", "closing": "ok", "dead": "connect-refused"})

    def test_tcp_expect_without_send_reads_a_banner(self):
        self.assert_states({"type": "tcp", "port": 1, "expect": "220 mail"},
                           {"good": self.server("127.0.1.1", mode="banner", body="220 mail\r\n"),
                            "busy": self.server("127.0.1.2", mode="banner", body="421 later\r\n"),
                            "silent": self.server("127.0.1.3", mode="hang"),
                            "closing": self.server("127.0.1.4", mode="drop")},
                           {"good": "ok", "busy": "response-timeout", "silent": "response-timeout",
                            "closing": "closed"})

    def test_tcp_send_and_expect(self):
        good = self.server("127.0.1.1", mode="plain", body="+PONG\r\n")
        self.assert_states({"type": "tcp", "port": 1, "send": "PING\r\n", "expect": "+PONG"},
                           {"good": good,
                            "wrong": self.server("127.0.1.2", mode="plain", body="-LOADING\r\n"),
                            "reset": self.server("127.0.1.3", mode="reset")},
                           {"good": "ok", "wrong": "bad-body", "reset": "closed"})
        self.assertEqual(good.stats()["request"], "PING\r\n")

    def test_tls(self):
        authority = harness.Authority(self.path("ca"))
        for place, name in enumerate(("good.example.com", "else.example.com"), 1):
            certificate, key = authority.issue(name, f"site{place}")
            self.nginx(f"""server {{
                listen 127.0.1.{place}:443 ssl;
                ssl_certificate {certificate};
                ssl_certificate_key {key};
                location / {{ return 200 "this is it"; }}
            }}""", (f"127.0.1.{place}", 443))
        check = {"type": "tls", "port": 443, "interval": "1s", "send": HTTP_REQUEST,
                 "expect": "this is it", "tls": {"ca_file": authority.certificate}}
        hard = self.hard({
            "good.example.com": {"candidates": ["127.0.1.1"], "check": check},
            "wrong.example.com": {"candidates": ["127.0.1.2"], "check": check},
            "unexpected.example.com": {"candidates": ["127.0.1.1"], "check": {
                **check, "host": "good.example.com", "expect": "this is not it"}},
            "plain.example.com": {"candidates": [self.server("127.0.1.3", mode="banner").candidate],
                                  "check": check},
        }, "-v")
        for label, reason in (("good", "ok"), ("wrong", "tls-failed"),
                              ("unexpected", "bad-body"), ("plain", "tls-failed")):
            with self.subTest(label):
                event = hard.wait_event(event="state", host=f"{label}.example.com", was="unknown")
                self.assertEqual(event["reason"], reason)


harness.main()
