"""With glibc's nscd in front: what it asks for both families at once it never keeps, and with
`enable-cache hosts no`, as the manual says, every call gets the answer of this moment.

What nscd keeps against our will (nss_har(8)) goes within the quarter of a minute in which it
sweeps; that test runs when HAR_LONG is set.
"""

import os
import socket
import unittest

import harness

NAME = "api.example.com"
A4, B4, A6, B6 = "192.0.2.10", "192.0.2.11", "2001:db8::10", "2001:db8::11"
FROM_DNS = "192.0.2.53"
SOCKET = "/var/run/nscd/socket"
CONFIGURATION = """
enable-cache hosts {hosts}
positive-time-to-live hosts 3600
negative-time-to-live hosts 3600
check-files hosts no
persistent hosts no
shared hosts {shared}
"""
NOBODY = {"candidates": ["127.0.1.1"], "failure_mode": "none",
          "check": {"type": "tcp", "port": 9, "interval": "100ms"}}

harness.require("nscd", "sqlite3")


def ranked(*addresses):
    return {"candidates": addresses, "selection": "ordered", "check": {"type": "none"}}


def answers():
    """By name: status and addresses as published."""
    return {name: (row["status"], row["addresses"])
            for name, row in harness.read_ranking().items()}


class Nscd(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dns = harness.Dns(FROM_DNS)

    def nscd(self, **settings):
        harness.write("/etc/nscd.conf", CONFIGURATION.format(**settings))
        os.makedirs(os.path.dirname(SOCKET), exist_ok=True)
        process = harness.Process(["nscd", "-F"], self.path("nscd"))
        self.addCleanup(process.kill)
        process.wait_ready(self.accepts)

    @staticmethod
    def accepts():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(SOCKET) == 0

    def publish(self, **hosts):
        """Under example.com. Waits until the ranking holds just these."""
        hosts = {f"{label}.example.com": host for label, host in hosts.items()}
        wanted = {name: ("fail", "") if host is NOBODY else
                  ("answer", " ".join(host["candidates"])) for name, host in hosts.items()}
        self.daemon.configure({"hosts": hosts})
        self.daemon.reload()
        harness.wait_until(lambda: answers() == wanted, f"a ranking with {wanted}")

    def start(self, **settings):
        self.daemon = self.hard({NAME: ranked(A4)})
        self.nscd(**settings)

    def assert_says(self, call, text, name=NAME, through_nscd=True):
        """Only a client that nscd did not answer loads the module itself."""
        lines = harness.look_up(call, name, "maps").splitlines()
        self.assertEqual((call, lines[0].strip()), (call, text))
        self.assertEqual(any("libnss_har" in line for line in lines), not through_nscd, lines)

    def assert_both_families_are_of_this_moment(self, shared):
        self.start(hosts="yes", shared=shared)
        for addresses, ipv6 in (([A4], "EAI_NONAME"), ([B4], "EAI_NONAME"), ([A6], A6),
                                ([B6, A4], B6), ([B4, B6], "EAI_NONAME"), ([A6, A4], A6)):
            self.publish(api=ranked(*addresses))
            self.assert_says("getaddrinfo", addresses[0])
            self.assert_says("getaddrinfo-6", ipv6)
        self.publish(other=ranked(A4))
        self.assert_says("getaddrinfo", FROM_DNS)
        self.publish(api=ranked(A4))
        self.assert_says("getaddrinfo", A4)

    def test_both_families(self):
        self.assert_both_families_are_of_this_moment(shared="no")

    def test_both_families_through_shared_memory(self):
        self.assert_both_families_are_of_this_moment(shared="yes")

    def test_it_does_cache_what_others_answer(self):
        """Else the tests above would prove nothing. It answers before it stores, so the very next
        question may still come too early."""
        self.addCleanup(harness.write, "/etc/hosts", "127.0.0.1 localhost\n")
        self.start(hosts="yes", shared="no")

        def keeps_the_old_address():
            found = []
            for address in (A4, B4):
                harness.write("/etc/hosts", f"{address} file.example.com\n")
                found.append(harness.look_up("getaddrinfo", "file.example.com"))
            return found[0] == found[1]
        harness.wait_until(keeps_the_old_address, "an answer from nscd's cache")

    def assert_every_call_says(self, both, ipv4, ipv6, host4, host6):
        for call, text in (("getaddrinfo", both), ("getaddrinfo-4", ipv4), ("getaddrinfo-6", ipv6),
                           ("gethostbyname", host4), ("gethostbyname2-6", host6)):
            self.assert_says(call, text, through_nscd=False)

    def test_every_call_when_it_caches_no_hosts(self):
        self.start(hosts="no", shared="no")
        for addresses, ipv4, ipv6 in (([A4], A4, None), ([B4], B4, None), ([A6], None, A6),
                                      ([B6, A4], A4, B6), ([A4], A4, None)):
            self.publish(api=ranked(*addresses))
            self.assert_every_call_says(
                addresses[0], ipv4 or "EAI_NODATA", ipv6 or "EAI_NODATA",
                *(f"{NAME} [] {address}" if address else "NO_DATA" for address in (ipv4, ipv6)))
        self.publish(api=NOBODY)
        self.assert_every_call_says(*["EAI_AGAIN"] * 3, *["TRY_AGAIN"] * 2)
        self.publish(api=ranked(A4, A6))
        self.assert_every_call_says(A4, A4, A6, f"{NAME} [] {A4}", f"{NAME} [] {A6}")

    @unittest.skipUnless(os.environ.get("HAR_LONG"), "takes 15 s: make check-long")
    def test_what_it_keeps_of_one_family_goes_soon(self):
        self.start(hosts="yes", shared="no")
        names = [f"{label}.example.com" for label in ("address", "nodata", "failing")]
        self.publish(address=ranked(A4), nodata=ranked(A6), failing=NOBODY)
        for name, text in zip(names, (f"{names[0]} [] {A4}", "HOST_NOT_FOUND", "HOST_NOT_FOUND")):
            self.assert_says("gethostbyname", text, name)
        self.publish(address=ranked(B4), nodata=ranked(B4), failing=ranked(B4))
        for name in names:
            harness.wait_until(
                lambda: harness.look_up("gethostbyname", name) == f"{name} [] {B4}",
                f"the address of {name}", deadline_s=60)


harness.main()
