"""Candidates that are host names follow the DNS: real knot and dnsmasq as upstreams, and liars."""

import os
import socket
import threading
import time

import harness

NAME = "api.example.com"
A, CNAME, AAAA = 1, 5, 28
KNOT, DNSMASQ, FAKE, CLOSED = (f"127.0.0.1:{port}" for port in (5301, 5302, 5303, 5304))
RETRY = {"upstream_timeout": "200ms"}  # two tries, then the name has failed

KNOT_CONF = """server:
  rundir: {folder}
  listen: {listen}
database:
  storage: {folder}
zone:
- domain: example.net
  storage: {folder}
  file: example.net
  zonefile-sync: -1
  journal-content: none
"""
ZONE = """$ORIGIN example.net.
$TTL 1
@ SOA ns root {serial} 60 60 60 1
@ NS ns
ns A 127.0.0.1
"""

harness.require("knotd", "knotc", "dnsmasq", "ss")


class Knot:
    """An authoritative server for example.net, whose records may change while it runs."""

    def __init__(self, folder, address, records):
        os.makedirs(folder)
        self.folder = folder
        self.conf = f"{folder}/knot.conf"
        self.serial = 0
        harness.write(self.conf, KNOT_CONF.format(folder=folder, listen=address.replace(":", "@")))
        self.write_zone(records)
        self.start()

    def write_zone(self, records):
        self.serial += 1
        harness.write(f"{self.folder}/example.net",
                      ZONE.format(serial=self.serial) + "\n".join(records) + "\n")

    def start(self):
        self.process = harness.Process(["knotd", "-c", self.conf], f"{self.folder}/log")
        self.process.wait_ready(lambda: harness.run(
            "knotc", "-c", self.conf, "zone-status", "example.net", "+serial",
            check=False).stdout.strip().endswith(f"serial: {self.serial}"))

    def set(self, *records):
        self.write_zone(records)
        harness.run("knotc", "-c", self.conf, "-b", "zone-reload", "example.net")

    def kill(self):
        self.process.kill()


class Fake(harness.NameServer):
    """Every name has the address; what it says and when it was asked is the test's."""

    def __init__(self, address):
        self.say = None  # (query, name, kind): the message, or None
        self.times = {}  # name: when it was asked for A
        host, port = address.split(":")
        super().__init__(host, int(port))

    def answer(self, query, name, kind):
        if kind == A:
            self.times.setdefault(name, []).append(time.monotonic())
        return self.say(query, name, kind)

    @classmethod
    def truth(cls, query, kind, address="127.0.1.1", ttl=1):
        return cls.reply(query, *cls.addresses(address, ttl) if kind == A else ())

    @classmethod
    def addresses(cls, address, ttl=1, **more):
        return [cls.record(A, socket.inet_aton(address), ttl, **more)]

    def count(self, name):
        return len(self.times.get(name, []))


def name_in_wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


EVIL = "127.0.9.9"
OTHER = name_in_wire("other.example.net")
# By the first label of the name, what is said of it instead of the truth, which would be EVIL.
LIES = {
    "wrong-id": lambda query: bytes([query[0] ^ 1]) + Fake.truth(query, A, EVIL)[1:],
    "wrong-question": lambda query: Fake.truth(
        query[:12] + query[12:].replace(b"question", b"querying"), A, EVIL),
    "wrong-type": lambda query: Fake.truth(query[:12] + query[12:].replace(
        b"\0\0\1\0\1", b"\0\0\x10\0\1"), A, EVIL),
    "cut": lambda query: Fake.truth(query, A, EVIL)[:-2],
    "cut-record": lambda query: Fake.reply(query, Fake.record(A, b"\x7f\0\x09")),
    "header-only": lambda query: Fake.truth(query, A, EVIL)[:12],
    "empty": lambda query: b"",
    "echo": lambda query: query,
    "loop": lambda query: Fake.reply(query, Fake.record(CNAME, Fake.NAMED)),
    "loop-of-two": lambda query: Fake.reply(query, Fake.record(CNAME, OTHER),
                                            Fake.record(CNAME, Fake.NAMED, owner=OTHER)),
    "of-another": lambda query: Fake.reply(query, *Fake.addresses(EVIL, owner=OTHER)),
    "no-host": lambda query: Fake.reply(query, *Fake.addresses("255.255.255.255"),
                                        *Fake.addresses("224.0.0.1"), *Fake.addresses("0.0.0.0")),
    "truncated": lambda query: (lambda answer: answer[:2] + b"\x83" + answer[3:])(
        Fake.truth(query, A, EVIL)),
    "nxdomain": lambda query: Fake.reply(query, code=3),
    "nodata": Fake.reply,
    "servfail": lambda query: Fake.reply(query, code=2),
    "refused": lambda query: Fake.reply(query, code=5),
    "formerr": lambda query: Fake.reply(query, code=1),
    "notauth": lambda query: Fake.reply(query, code=9),
    "silence": lambda query: None,
}
# A "no" that does not say for how long is one for a minute, which this test has not got.
DENIALS = {"of-another", "no-host", "nxdomain", "nodata"}


class Upstreams(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fake = Fake(FAKE)

    def site(self, address, **settings):
        return self.server(address, port=80, **settings)

    def knot(self, *records, address=KNOT):
        knot = Knot(self.path("knot"), address, records)
        self.addCleanup(knot.kill)
        return knot

    def dnsmasq(self, *options):
        host, port = DNSMASQ.split(":")
        process = harness.Process(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", f"--port={port}",
             f"--listen-address={host}", "--bind-interfaces", "--no-resolv", "--no-hosts",
             "--user=", "--pid-file=", "--log-queries", "--log-facility=-", *options],
            self.path("dnsmasq"))
        self.addCleanup(process.kill)
        process.wait_ready(lambda: "started" in process.log_text())
        return process

    def fake_says(self, say):
        self.fake.times.clear()
        self.fake.say = say
        return self.fake

    @staticmethod
    def host(*names, **more):
        """Whose answer is all that is up."""
        return {"candidates": list(names), "selection": "ordered", "answers": 16,
                "check": harness.QUICK, **more}

    def assert_up(self, addresses, name=NAME):
        def found():
            row = harness.read_ranking().get(name, {"addresses": ""})
            return row["addresses"].split()
        harness.wait_until(lambda: sorted(found()) == sorted(addresses),
                           f"{addresses} for {name}")

    def wait_checks(self, *servers, count=3):
        """So many more of each."""
        wanted = {server: server.stats()["requests"] + count for server in servers}
        for server, requests in wanted.items():
            harness.wait_until(lambda: server.stats()["requests"] >= requests, "more checks")

    # --- What is in the zone ----------------------------------------------------------------------

    def test_every_address_is_an_endpoint(self):
        """Of both families, and at the end of a chain of aliases."""
        addresses = ["127.0.1.1", "127.0.1.2"] + ([harness.IPV6[0]] if harness.have_ipv6() else [])
        for address in addresses:
            self.site(address)
        self.knot("one CNAME two", "two CNAME www", "www A 127.0.1.1", "www A 127.0.1.2",
                  f"www AAAA {harness.IPV6[0]}")
        self.hard({NAME: self.host("www.example.net"),
                   "alias.example.com": self.host("one.example.net")}, upstreams=[KNOT])
        self.assert_up(addresses)
        self.assert_up(addresses, "alias.example.com")

    def test_another_zone_and_the_cache_of_a_resolver(self):
        """dnsmasq asks knot, and knows the end of an alias that leads out of its zone."""
        self.site("127.0.1.1")
        self.site("127.0.1.2")
        self.knot("www A 127.0.1.1")
        self.dnsmasq("--server=/example.net/" + KNOT.replace(":", "#"),
                     "--host-record=www.example.org,127.0.1.2", "--cname=one.test,www.example.org")
        self.hard({NAME: self.host("www.example.net", "one.test")}, upstreams=[DNSMASQ])
        self.assert_up(["127.0.1.1", "127.0.1.2"])

    def test_records_come_and_go(self):
        """The check of an address that is gone is cancelled, and its server asked no more."""
        stays, goes, comes = (self.site(f"127.0.1.{place}") for place in (1, 2, 3))
        knot = self.knot("www A 127.0.1.1", "www A 127.0.1.2")
        hard = self.hard({NAME: self.host("www.example.net",
                                          check={**harness.QUICK, "timeout": "1m"})},
                         upstreams=[KNOT])
        self.assert_up(["127.0.1.1", "127.0.1.2"])
        self.assertEqual(comes.stats()["connections"], 0)

        def in_check():
            return harness.run("ss", "-Htn", "state", "established", "dst", "127.0.1.2:80").stdout
        goes.set(mode="hang")
        harness.wait_until(in_check, "a check that hangs")
        knot.set("www A 127.0.1.1", "www A 127.0.1.3")
        hard.wait_event(event="resolve-changed", addresses="127.0.1.1 127.0.1.3")
        self.assert_up(["127.0.1.1", "127.0.1.3"])
        harness.wait_until(lambda: not in_check(), "no check of who is gone")
        asked = goes.stats()["connections"]
        self.wait_checks(stays, comes, count=10)
        self.assertEqual(goes.stats()["connections"], asked)
        self.assertEqual(hard.events(event="state", state="down"), [])

    def test_many_addresses(self):
        """More than fit into a datagram are asked for over TCP, and each is checked."""
        zone = {count: [f"127.{count // 100}.{place // 200}.{place % 200 + 1}"
                        for place in range(count)] for count in (100, 500)}
        self.knot(*(f"many{count} A {address}" for count, addresses in zone.items()
                    for address in addresses))
        hard = self.hard({f"many{count}.example.com": self.host(f"many{count}.example.net")
                          for count in zone}, upstreams=[KNOT])  # and nobody listens anywhere
        for count, addresses in zone.items():
            host = f"many{count}.example.com"
            hard.wait_event(event="state", host=host, state="down", count=count)
            self.assertEqual(sorted(event["address"] for event in hard.events(
                event="state", host=host)), sorted(addresses))

    # --- When it is asked -------------------------------------------------------------------------

    def test_ttl(self):
        """It is asked again when its time has run out, and not before; a TTL of nothing is a
        second, and one of years an hour at most, which this test has not got."""
        ttls = {"zero": 0, "one": 1, "three": 3, "hour": 3600, "years": 2 ** 31 - 1}
        self.site("127.0.1.1")
        fake = self.fake_says(lambda query, name, kind: Fake.truth(
            query, kind, ttl=ttls[name.split(".")[0]]))
        names = {label: f"{label}.example.net" for label in ttls}
        self.hard({f"{label}.example.com": self.host(name) for label, name in names.items()},
                  upstreams=[FAKE], upstream_timeout="30s")
        harness.wait_until(lambda: all(fake.count(names[label]) >= 3
                                       for label in ("zero", "one", "three")), "asked again")
        for label, ttl in ttls.items():
            times = fake.times[names[label]]
            for earlier, later in zip(times, times[1:]):
                self.assertGreaterEqual(later - earlier, max(ttl, 1), label)
        self.assertEqual([fake.count(names[label]) for label in ("hour", "years")], [1, 1])

    def test_asked_at_once_when_the_last_one_goes_down(self):
        """Whatever its TTL."""
        old = self.site("127.0.1.1")
        self.site("127.0.1.2")
        knot = self.knot("www 3600 A 127.0.1.1")
        self.hard({NAME: self.host("www.example.net")}, upstreams=[KNOT])
        self.assert_up(["127.0.1.1"])
        knot.set("www 3600 A 127.0.1.2")
        old.kill()
        self.assert_up(["127.0.1.2"])

    def test_asked_while_all_are_down(self):
        """The zone is mended long after they went down, and its TTL is an hour."""
        fake = self.fake_says(lambda query, name, kind: Fake.truth(query, kind, ttl=3600))
        server = self.site("127.0.1.1")
        self.hard({NAME: self.host("www.example.net", family="ipv4")}, upstreams=[FAKE])
        self.assert_up(["127.0.1.1"])
        server.kill()
        asked = fake.count("www.example.net")
        harness.wait_until(lambda: fake.count("www.example.net") >= asked + 3, "further questions")

    def test_ready_after_names_were_asked(self):
        """An address that the state remembers is checked, but does not stand for an answer."""
        server = self.site("127.0.1.1")
        go = threading.Event()
        go.set()
        fake = self.fake_says(lambda query, name, kind: go.wait() and Fake.truth(query, kind))
        self.addCleanup(go.set)
        hard = self.hard({NAME: self.host("www.example.net", family="ipv4")}, upstreams=[FAKE],
                         upstream_timeout="30s")
        hard.stop()
        asked = fake.count("www.example.net")
        go.clear()
        hard.start(wait_ready=False)
        harness.wait_until(lambda: fake.count("www.example.net") > asked, "a question")
        self.wait_checks(server, count=5)
        self.assertEqual(len(hard.events(event="ready")), 1)
        go.set()
        hard.wait_event(event="ready", count=2)

    # --- Without an answer ------------------------------------------------------------------------

    def test_last_known_addresses_stay(self):
        """While no upstream is there, and in another run of the daemon too."""
        first, second = self.site("127.0.1.1"), self.site("127.0.1.2")
        knot = self.knot("www A 127.0.1.1", "www A 127.0.1.2")
        hard = self.hard({NAME: self.host("www.example.net")}, upstreams=[KNOT])
        self.assert_up(["127.0.1.1", "127.0.1.2"])
        knot.kill()
        hard.wait_event(event="resolve-failed", name="www.example.net", state="failed")
        first.kill()
        self.assert_up(["127.0.1.2"])
        for count, end in enumerate((hard.stop, hard.kill), 2):
            end()
            hard.start()
            hard.wait_event(event="resolve-failed", name="www.example.net", count=count)
            self.wait_checks(second)
            self.assert_up(["127.0.1.2"])
            first.start()
            self.assert_up(["127.0.1.1", "127.0.1.2"])
            first.kill()
            self.assert_up(["127.0.1.2"])
        knot.write_zone(["www A 127.0.1.2"])
        knot.start()
        hard.wait_event(event="resolve-recovered", name="www.example.net", addresses="127.0.1.2")

    def test_a_family_without_an_answer_stays(self):
        """In another run of the daemon, when only the question for the other one is answered."""
        def both(query, name, kind):
            return Fake.truth(query, kind) if kind == A else ipv6(query, name, kind)

        def ipv6(query, name, kind):
            if kind == A:
                return None
            return Fake.reply(query, Fake.record(kind, socket.inet_pton(socket.AF_INET6,
                                                                        harness.IPV6[0]), 1))
        server = self.site("127.0.1.1")
        fake = self.fake_says(both)
        hard = self.hard({NAME: self.host("www.example.net", failure_mode="none")},
                         upstreams=[FAKE], upstream_timeout="200ms")
        self.assert_up(["127.0.1.1"])
        hard.stop()
        fake.say = ipv6
        hard.start()
        hard.wait_event(event="resolve-failed", state="partly", question="A", reason="timeout")
        self.wait_checks(server)
        self.assert_up(["127.0.1.1"])
        self.assertEqual(hard.events(event="state", address="127.0.1.1", was="unknown"), [])
        for event in hard.events(event="answer"):
            self.assertIn("127.0.1.1", event["answer"].split())

    def test_another_upstream_answers(self):
        """The same question, whether the first one is closed or silent."""
        self.site("127.0.1.1")
        self.knot("www A 127.0.1.1")
        silent = self.fake_says(lambda *_: None)
        for first in (CLOSED, FAKE):
            with self.subTest(first):
                hard = self.hard({NAME: self.host("www.example.net")}, upstreams=[first, KNOT],
                                 upstream_timeout="500ms")
                self.assert_up(["127.0.1.1"])
                self.assertEqual(hard.events(event="resolve-failed"), [])
                hard.stop()
                harness.forget_ranking()
        self.assertGreater(len(silent.asked), 0)

    def test_names_that_are_not_there_at_the_start(self):
        """They keep neither the daemon nor their host waiting, and are found when they come."""
        self.site("127.0.1.1")
        self.site("127.0.1.2")
        knot = self.knot('text TXT "no address"')
        names = {"text.example.net": "no-address", "none.example.net": "no-such-name"}
        hard = self.hard({NAME: self.host("127.0.1.1", *names)}, upstreams=[KNOT])
        self.assert_up(["127.0.1.1"])
        for name, state in names.items():
            hard.wait_event(event="resolve-failed", name=name, state=state)
        knot.set("text A 127.0.1.2", "none A 127.0.1.2")
        for name in names:
            hard.wait_event(event="resolve-recovered", name=name, addresses="127.0.1.2")
        self.assert_up(["127.0.1.1", "127.0.1.2"])

    def test_resolv_conf(self):
        with open("/etc/resolv.conf", encoding="ascii") as file:
            self.addCleanup(harness.write, "/etc/resolv.conf", file.read())
        self.site("127.0.1.1")
        self.knot("www A 127.0.1.1", address="127.0.0.2:53")
        harness.write("/etc/resolv.conf", "search example.com\nnameserver 127.0.0.2\n")
        self.hard({NAME: self.host("www.example.net")})
        self.assert_up(["127.0.1.1"])

    # --- Lies -------------------------------------------------------------------------------------

    def test_lies(self):
        """har keeps what it knew, asks nobody who was slipped in, and believes the truth later."""
        self.site("127.0.1.1")
        self.site("127.0.1.2")
        evil = self.site(EVIL)
        lying, address = False, "127.0.1.1"

        def say(query, name, kind):
            return LIES[name.split(".")[0]](query) if lying else Fake.truth(query, kind, address)
        self.fake_says(say)
        hard = self.hard({f"{label}.example.com": self.host(f"{label}.example.net",
                                                            family="ipv4") for label in LIES},
                         upstreams=[FAKE], **RETRY)
        for label in LIES:
            self.assert_up(["127.0.1.1"], f"{label}.example.com")
        lying = True
        for label in LIES:
            hard.wait_event(event="resolve-failed", name=f"{label}.example.net")
        for label in LIES:
            self.assert_up(["127.0.1.1"], f"{label}.example.com")
        lying, address = False, "127.0.1.2"
        for label in LIES.keys() - DENIALS:
            self.assert_up(["127.0.1.2"], f"{label}.example.com")
        self.assertEqual(evil.stats()["connections"], 0)
        self.assertEqual(hard.events(event="state", state="down"), [])


harness.main()
