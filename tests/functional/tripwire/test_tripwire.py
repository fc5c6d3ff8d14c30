"""tripwire: an idle connection tells that a server is gone, long before the next check. Here that
one is an hour away, and three failures are needed."""

import os
import socket

import harness

NAME = "api.example.com"
HOUR = {"interval": "1h", "fast_interval": "1h", "timeout": "5s", "fall": 3, "tripwire": True}
OFTEN = {**HOUR, "interval": "200ms", "fast_interval": "200ms"}
SPARE = {"address": "127.0.2.1", "check": {"type": "none"}}
NGINX = """server {{
    listen {address}:{port} {more};
    return 200 "this is it";
}}"""

harness.require("nginx", "openssl")


def descriptors(hard):
    return len(os.listdir(f"/proc/{hard.process.popen.pid}/fd"))


def wait_descriptors(hard, count):
    harness.wait_until(lambda: descriptors(hard) == count, f"{count} descriptors")


class Tripwire(harness.TestCase):
    def start(self, candidates, check=None, name=NAME):
        """candidates: with a port and a server each; the spare one is always there."""
        self.candidates = [*candidates, SPARE]
        return self.hard({name: self.host(check or HOUR)}, "-v")

    def host(self, check):
        return {"candidates": self.candidates, "selection": "ordered", "check": check}

    def reload(self, hard, check):
        hard.configure({"hosts": {NAME: self.host(check)}})
        hard.reload()

    def wait_wired(self, server, count=1):
        return harness.wait_until(lambda: len(harness.established(server)) == count
                                  and harness.established(server), f"{count} idle connections")

    def assert_moves(self, hard, server, name=NAME, downs=1):
        """A wired server is killed, and the answer moves."""
        self.wait_wired(server)
        self.assertEqual(harness.getent(name), [server.address])
        server.kill()
        self.assert_answer(name, [SPARE["address"]])
        hard.wait_event(event="tripped", host=name, address=server.address, count=downs)
        hard.wait_event(event="state", address=server.address, state="down", count=downs)

    def assert_moves_with(self, check, more="", name=NAME):
        """A real server, checked another way."""
        nginx = self.nginx(NGINX.format(address="127.0.1.1", port=8443, more=more),
                           ("127.0.1.1", 8443))
        nginx.address, nginx.port = "127.0.1.1", 8443
        hard = self.start([nginx.address], {**HOUR, "port": 8443, **check}, name)
        self.assert_moves(hard, nginx, name)

    def certificate(self):
        authority = harness.Authority(self.path("ca"))
        pem, key = authority.issue(NAME, "site")
        return authority.certificate, f"ssl; ssl_certificate {pem}; ssl_certificate_key {key}"

    def test_http(self):
        self.assert_moves_with({"type": "http"})

    def test_https(self):
        ca_file, more = self.certificate()
        self.assert_moves_with({"type": "https", "tls": {"ca_file": ca_file}}, more)

    def test_tls(self):
        ca_file, more = self.certificate()
        self.assert_moves_with({"type": "tls", "tls": {"ca_file": ca_file}}, more)

    def test_tcp(self):
        self.assert_moves_with({"type": "tcp"})

    def test_a_server_that_comes_back_is_wired_again(self):
        server = self.server("127.0.1.1")
        hard = self.start([server.candidate])
        self.assert_moves(hard, server)
        server.start()
        self.reload(hard, OFTEN)  # or it would be asked in an hour
        self.assert_answer(NAME, [server.address])
        self.reload(hard, HOUR)
        self.assert_moves(hard, server, downs=2)

    def test_one_that_ends_bit_by_bit(self):
        """It closes what it has accepted, can be connected once more, and only then is gone."""
        with socket.create_server(("127.0.1.1", 8080)) as listener:
            listener.settimeout(harness.DEADLINE_S)
            hard = self.start(["127.0.1.1"], {**HOUR, "type": "tcp", "port": 8080})
            _, wire = listener.accept()[0], listener.accept()[0]
            wire.close()
            listener.accept()
        self.assert_answer(NAME, [SPARE["address"]])
        hard.wait_event(event="tripped", count=2)

    def test_one_that_closes_idle_connections_is_checked_and_stays_up(self):
        """One check for each trip, and one failure would be the end."""
        address, port = "127.0.1.1", 8080
        nginx = self.nginx(NGINX.format(
            address=address, port=port,
            more="; client_header_timeout 1s; access_log access.log"), (address, port))
        hard = self.start([address], {**HOUR, "port": port, "fall": 1})
        hard.wait_event(event="tripped", count=3)
        harness.wait_until(lambda: nginx.access_log().count('" 200 ')
                           == 1 + len(hard.events(event="tripped")), "the first check, and these")
        self.assertEqual({event["state"] for event in hard.events(event="state")}, {"up"})
        self.assertEqual(harness.getent(NAME), [address])

    def test_who_fails_is_not_wired(self):
        server = self.server("127.0.1.1", status=500)
        hard = self.start([server.candidate], OFTEN)
        def only_checks():
            stats = server.stats()
            return stats["connections"] == stats["requests"] >= 5
        harness.wait_until(only_checks, "checks, and no other connection")
        server.set(status=200)
        hard.wait_event(event="state", address=server.address, state="up")
        self.reload(hard, HOUR)
        self.wait_wired(server)
        stats = server.stats()
        self.assertEqual(stats["connections"] - stats["requests"], 1)

    def assert_lets_go(self, change):
        """Of the connection, after change(hard, server)."""
        server = self.server("127.0.1.1")
        hard = self.start([server.candidate])
        own, = self.wait_wired(server)
        change(hard, server)
        harness.wait_until(lambda: own not in harness.established(server), f"the end of {own}")
        return hard, server

    def test_switched_off(self):
        hard, server = self.assert_lets_go(
            lambda hard, _: self.reload(hard, {**HOUR, "tripwire": False}))
        self.assertEqual(server.stats()["requests"], 1)
        self.assertEqual(hard.events(event="tripped"), [])

    def test_host_removed(self):
        def change(hard, _):
            self.candidates.pop(0)
            hard.configure({"hosts": {"else.example.com": self.host(HOUR)}})
            hard.reload()
        hard, server = self.assert_lets_go(change)
        self.assertEqual(harness.established(server), [])
        self.assertEqual(hard.events(event="tripped"), [])

    def test_check_changed(self):
        hard, server = self.assert_lets_go(
            lambda hard, _: self.reload(hard, {**HOUR, "path": "/health"}))
        self.assert_moves(hard, server)

    def test_a_reload_keeps_it(self):
        server = self.server("127.0.1.1")
        hard = self.start([server.candidate])
        own = self.wait_wired(server)
        self.reload(hard, {**HOUR, "interval": "2h"})
        hard.wait_event(event="reload")
        self.candidates.append("127.0.2.2")
        self.reload(hard, HOUR)
        hard.wait_event(event="reload", count=2)
        self.assertEqual(harness.established(server), own)
        self.assert_moves(hard, server)

    def test_a_hundred_trips_leave_no_descriptor(self):
        everywhere = self.server("0.0.0.0")
        candidates = [{"address": f"127.0.1.{place}", "check": {"port": everywhere.port}}
                      for place in range(1, 101)]
        hard = self.start(candidates)
        everywhere.address = "127.0.1.0/24"
        self.wait_wired(everywhere, len(candidates))
        wired = descriptors(hard)
        for trips in (1, 2):
            everywhere.process.kill()
            hard.wait_event(event="state", state="down", count=trips * len(candidates))
            self.assertGreaterEqual(len(hard.events(event="tripped")), trips * len(candidates))
            wait_descriptors(hard, wired - len(candidates))
            everywhere.address = "0.0.0.0"
            everywhere.start()
            everywhere.address = "127.0.1.0/24"
            self.reload(hard, OFTEN)
            hard.wait_event(event="state", state="up", was="down", count=trips * len(candidates))
            self.reload(hard, HOUR)
            self.wait_wired(everywhere, len(candidates))
            wait_descriptors(hard, wired)


harness.main()
