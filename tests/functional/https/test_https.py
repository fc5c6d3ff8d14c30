"""An https check believes what a client would: a valid certificate of our CA, for that name."""

import harness

NAME = "api.example.com"
OTHER = "other.example.com"

harness.require("nginx", "openssl", "curl")


def tls_block(address, certificate, key, more="", name="_"):
    return f"""server {{
        listen {address}:443 ssl;
        server_name {name};
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        {more}
        location / {{ return 200 "this is {address}"; }}
    }}"""


class Https(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.authority = harness.Authority(self.path("ca"))
        self.good = self.authority.issue(NAME, "good")

    def site(self, address, *blocks):
        return self.nginx("\n".join(blocks), (address, 443))

    def host(self, *candidates, **tls):
        return {"candidates": list(candidates), "selection": "ordered",
                "check": {"type": "https", "interval": "200ms",
                          "tls": {"ca_file": self.authority.certificate, **tls}}}

    def assert_down(self, hard, address, reason):
        event = hard.wait_event(event="state", candidate=address, state="down")
        self.assertEqual(event["reason"], reason)

    def test_only_a_certificate_that_a_client_would_accept_is_up(self):
        stranger = harness.Authority(self.path("ca"))
        certificates = {
            "127.0.1.1": self.authority.issue(OTHER, "wrong-name"),
            "127.0.1.2": self.authority.issue(NAME, "expired", expires="20200201000000Z"),
            "127.0.1.3": stranger.issue(NAME, "of-another-ca"),
        }
        for address, pair in certificates.items():
            self.site(address, tls_block(address, *pair))
        self.site("127.0.1.4", tls_block("127.0.1.4", *self.good))

        hard = self.hard({NAME: self.host(*certificates, "127.0.1.4")})
        for address in certificates:
            self.assert_down(hard, address, "tls-failed")
        self.assert_answer(NAME, ["127.0.1.4"])
        done = harness.run("curl", "--silent", "--show-error", "--cacert",
                           self.authority.certificate, f"https://{NAME}/")
        self.assertEqual(done.stdout, "this is 127.0.1.4")

    def test_private_ca_is_unknown_unless_named(self):
        self.site("127.0.1.1", tls_block("127.0.1.1", *self.good))
        hard = self.hard({NAME: {"candidates": ["127.0.1.1"], "check": {"type": "https"}}})
        self.assert_down(hard, "127.0.1.1", "tls-failed")

    def test_verify_false_accepts_any_certificate(self):
        stranger = harness.Authority(self.path("ca"))
        certificate = stranger.issue(OTHER, "wrong", expires="20200201000000Z")
        self.site("127.0.1.1", tls_block("127.0.1.1", *certificate))
        self.site("127.0.1.2", tls_block("127.0.1.2", *self.good))
        self.hard({NAME: self.host("127.0.1.1", "127.0.1.2", verify=False)})
        self.assert_answer(NAME, ["127.0.1.1"])

    def test_the_server_is_asked_for_by_name(self):
        """Server name indication: without it this nginx shows the other certificate."""
        other = self.authority.issue(OTHER, "other")
        self.site("127.0.1.1", tls_block("127.0.1.1", *other, name=OTHER),
                  tls_block("127.0.1.1", *self.good, name=NAME))
        self.site("127.0.1.2", tls_block("127.0.1.2", *self.good))
        self.hard({NAME: self.host("127.0.1.1", "127.0.1.2")})
        self.assert_answer(NAME, ["127.0.1.1"])

    def test_client_certificate_is_shown(self):
        certificate, key = self.authority.issue("client", "client")
        block = tls_block("127.0.1.1", *self.good, more=f"""
            ssl_verify_client on;
            ssl_client_certificate {self.authority.certificate};""")
        self.site("127.0.1.1", block)
        self.site("127.0.1.2", tls_block("127.0.1.2", *self.good))
        hard = self.hard({
            NAME: self.host("127.0.1.1", "127.0.1.2", cert_file=certificate, key_file=key),
            "nobody.example.com": {**self.host("127.0.1.1"), "check": {
                "type": "https", "host": NAME, "tls": {"ca_file": self.authority.certificate}}},
        })
        self.assert_answer(NAME, ["127.0.1.1"])
        down = hard.wait_event(event="state", host="nobody.example.com", state="down")
        self.assertEqual((down["reason"], down["detail"]), ("bad-status", "status 400"))


harness.main()
