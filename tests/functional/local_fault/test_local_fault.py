"""A machine that lost its network, or its descriptors, keeps its answers and blames no server.

The servers are in a network of their own, at the far end of a cable: 198.51.100.1 to .3."""

import contextlib
import ctypes
import json
import resource
import socket
import socketserver
import threading

import harness

FAR, RARE, HOME = "far.example.com", "rare.example.com", "home.example.com"
FIRST, SECOND, THIRD = SERVERS = [f"198.51.100.{place}" for place in (1, 2, 3)]
CHECK = {"port": 80, "interval": "200ms", "timeout": "1s"}
RARELY = {**CHECK, "interval": "1h", "fast_interval": "1h"}
LAY = ["link add near type veth peer name far netns far",
       "link set near addrgenmode none",  # or IPv6 goes on making changes for a while
       "link set near up"]
ADDRESS = ["addr add 10.99.0.1/24 dev near"]
ROUTE = ["route add 198.51.100.0/24 via 10.99.0.2"]
FAR_END = ["link set far addrgenmode none",
           "link set far up",
           "addr add 10.99.0.2/24 dev far"]
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

harness.require("ip")


def ip(*commands, network=None):
    """Arguments of ip(8), a command each."""
    where = ["-n", network] if network else []
    harness.run("ip", *where, "-batch", "-", input="\n".join(commands) + "\n")


def enter(network):
    if LIBC.setns(network.fileno(), CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def far_network():
    """Sockets that are made here stay at the far end of the cable."""
    with open("/proc/thread-self/ns/net", "rb") as near, open("/run/netns/far", "rb") as far:
        enter(far)
        try:
            yield
        finally:
            enter(near)


class FarServer(socketserver.ThreadingTCPServer):
    """HTTP at the far end: 200 for everything, once it may answer."""

    allow_reuse_address = True
    daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                while self.rfile.readline().strip():
                    pass
                may_answer = self.server.may_answer
                self.server.requests += 1
                may_answer.wait()
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def __init__(self, address):
        self.requests = 0
        self.go_on()
        with far_network():
            super().__init__((address, 80), self.Handler)
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    def hold(self):
        """Who asks from now on is answered when the event that this returns is set."""
        self.may_answer = threading.Event()
        return self.may_answer

    def go_on(self):
        """Who asks from now on is answered."""
        self.hold().set()

    def close(self):
        self.shutdown()
        self.server_close()


class FarDns(harness.NameServer):
    """Every name has this address, for an hour."""

    def __init__(self, address):
        self.address = address
        with far_network():
            super().__init__(THIRD, 53)

    def answer(self, query, name, kind):
        found = [self.record(1, socket.inet_aton(self.address), 3600)] if kind == 1 else []
        return self.reply(query, *found)


class LocalFault(harness.TestCase):
    def setUp(self):
        super().setUp()
        harness.run("ip", "netns", "add", "far")
        self.addCleanup(harness.run, "ip", "netns", "delete", "far")
        ip("link set lo up", *(f"addr add {address}/32 dev lo" for address in SERVERS),
           network="far")
        self.lay_cable()
        self.addCleanup(harness.run, "ip", "link", "delete", "near")
        self.far = [self.far_server(address) for address in SERVERS]
        self.home = [self.server(f"127.0.1.{place}") for place in (1, 2)]

    @staticmethod
    def lay_cable():
        ip(*LAY)
        ip(*FAR_END, network="far")
        ip(*ADDRESS, *ROUTE)

    def far_server(self, address):
        server = FarServer(address)
        self.addCleanup(server.server_close)
        return server

    def daemon(self, **more):
        """Checks two servers often, one once, and two at home; all are up."""
        hosts = {FAR: {"candidates": [FIRST, SECOND]},
                 RARE: {"candidates": [THIRD], "check": RARELY},
                 HOME: {"candidates": [server.candidate for server in self.home]}, **more}
        hard = self.hard(hosts, "-v", "-v", upstreams=[THIRD],
                         defaults={"selection": "ordered", "check": CHECK})
        self.assert_answer(FAR, [FIRST])
        self.assert_answer(RARE, [THIRD])
        self.assert_answer(HOME, ["127.0.1.1"])
        return hard

    @staticmethod
    def published():
        rows = harness.read_ranking()
        return {name: (rows[name]["status"], rows[name]["addresses"]) for name in (FAR, RARE)}

    @staticmethod
    def failures(hard, address):
        return [event for event in hard.events(address=address) if event["reason"] != "ok"]

    def wait_failures(self, hard, *addresses, count=3):
        """So many more of each; three take a server down."""
        before = {address: len(self.failures(hard, address)) for address in addresses}
        for address in addresses:
            harness.wait_until(lambda: len(self.failures(hard, address)) >= before[address] + count,
                               f"failures of {address}")

    def requests(self):
        return [server.requests for server in self.far]

    def wait_all_asked(self, before):
        harness.wait_until(lambda: all(now > then for now, then in zip(self.requests(), before)),
                           "everything checked")

    def assert_nobody_down(self, hard, *others):
        self.assertEqual([event["address"] for event in hard.events(event="state", state="down")
                          if event["address"] not in others], [])

    def assert_one_fault(self, hard):
        for event in ("local-fault", "local-fault-over"):
            self.assertEqual(len(hard.events(event=event)), 1)

    def assert_survives(self, cause, cut, mend):
        """The answers of far servers stand still meanwhile, that of those at home does not."""
        hard = self.daemon()
        before = self.published()
        cut()
        self.assertEqual(hard.wait_event(event="local-fault")["cause"], cause)
        self.home[0].kill()
        self.assert_answer(HOME, ["127.0.1.2"])
        self.wait_failures(hard, FIRST, SECOND)
        self.assertEqual(harness.getent(FAR), [FIRST])
        self.assertEqual(self.published(), before)
        asked = self.requests()
        mend()
        hard.wait_event(event="local-fault-over")
        self.wait_all_asked(asked)
        self.assert_one_fault(hard)
        self.assert_nobody_down(hard, "127.0.1.1")
        self.assertEqual(self.published(), before)
        self.far[0].close()
        self.assert_answer(FAR, [SECOND])

    def pull(self):
        ip("link set far down", network="far")

    def plug(self):
        ip("link set far up", network="far")

    # --- The network ------------------------------------------------------------------------------

    def test_cable(self):
        self.assert_survives("no carrier", self.pull, self.plug)

    def test_route(self):
        self.assert_survives("no route", lambda: ip("route del 198.51.100.0/24"),
                             lambda: ip(*ROUTE))

    def test_address(self):
        self.assert_survives("no route", lambda: ip("addr del 10.99.0.1/24 dev near"),
                             lambda: ip(*ADDRESS, *ROUTE))

    def test_interface(self):
        self.assert_survives("no route", lambda: ip("link del near"), self.lay_cable)

    def test_the_operator_is_obeyed_meanwhile(self):
        hard = self.daemon()
        self.pull()
        hard.wait_event(event="local-fault")
        self.assertIn("cut off (no carrier)", harness.harctl("status", check=False).stdout)
        harness.harctl("drain", FAR, FIRST, check=False)
        self.assert_answer(FAR, [SECOND])
        harness.harctl("auto", FAR, FIRST, check=False)
        self.assert_answer(FAR, [FIRST])
        with open(hard.config_path, encoding="utf-8") as file:
            config = json.load(file)
        config["hosts"][FAR]["candidates"] = [SECOND]
        hard.configure(config)
        harness.harctl("reload")
        self.assert_answer(FAR, [SECOND])
        self.assert_nobody_down(hard)

    def test_start_while_cut_off(self):
        """With what the last run left, and without."""
        hard = self.daemon()
        for count, forget in enumerate((lambda: None, harness.forget_ranking), 1):
            with self.subTest(count):  # the first result of all would decide alone
                hard.stop()
                self.pull()
                forget()
                asked = self.requests()
                hard.start()
                hard.wait_event(event="local-fault", count=count, cause="no carrier")
                self.wait_failures(hard, FIRST, SECOND, count=3 if count == 1 else 1)
                self.assert_answer(FAR, [FIRST])
                self.assert_answer(HOME, ["127.0.1.1"])
                self.plug()
                hard.wait_event(event="local-fault-over", count=count)
                self.wait_all_asked(asked)
                self.assert_nobody_down(hard)

    def test_one_server_alone(self):
        """Be it silent, without a route or refusing, it is down and nothing is frozen."""
        hard = self.daemon()
        ip(f"addr del {FIRST}/32 dev lo", network="far")
        self.assert_answer(FAR, [SECOND])
        ip(f"addr add {FIRST}/32 dev lo", network="far")
        self.assert_answer(FAR, [FIRST])
        ip(f"route add unreachable {FIRST}/32")
        self.assert_answer(FAR, [SECOND])
        ip(f"route del unreachable {FIRST}/32")
        self.assert_answer(FAR, [FIRST])
        self.far[0].close()
        self.assert_answer(FAR, [SECOND])
        self.assertEqual(len(hard.events(event="state", state="down", address=FIRST)), 3)
        self.assertEqual(hard.events(event="local-fault"), [])

    def test_another_network(self):
        """A change that cuts nobody off: who is seldom checked is checked now."""
        hard = self.daemon()
        asked = self.requests()
        ip("addr add 10.98.0.1/32 dev near")
        self.wait_all_asked(asked)
        self.assertEqual(hard.events(event="local-fault"), [])

    def test_names(self):
        """They may have moved meanwhile, so they are asked for again, whatever their TTL."""
        dns = FarDns(FIRST)
        hard = self.daemon(**{"name.example.com": {"candidates": ["www.example.net"]}})
        self.assert_answer("name.example.com", [FIRST])
        self.pull()
        hard.wait_event(event="local-fault")
        dns.address = SECOND
        self.plug()
        self.assert_answer("name.example.com", [SECOND])
        self.assert_one_fault(hard)
        self.assert_nobody_down(hard)

    def test_checks_that_began_before(self):
        """When they end after the fault, failures are of no account, and late answers not slow."""
        hard = self.hard({FAR: {"candidates": [FIRST, SECOND], "max_rtt": "500ms"},
                          RARE: {"candidates": [THIRD]}}, "-v", "-v",
                         defaults={"selection": "ordered", "check": {
                             **RARELY, "timeout": "6s", "fall": 1}})
        self.assert_answer(FAR, [FIRST])
        answers = len(hard.events(event="answer"))
        late, lost = self.far[0], self.far[2]
        answer_late, answer_lost = late.hold(), lost.hold()
        self.addCleanup(answer_lost.set)
        asked = self.requests()
        ip("addr add 10.98.0.1/32 dev near")
        self.wait_all_asked(asked)
        self.pull()
        hard.wait_event(event="local-fault")
        self.plug()
        hard.wait_event(event="local-fault-over")
        asked = [late.requests, lost.requests]
        late.go_on()
        lost.go_on()
        answer_late.set()
        self.wait_failures(hard, THIRD, count=1)
        harness.wait_until(lambda: late.requests > asked[0] and lost.requests > asked[1],
                           "both checked again")
        hard.wait_event(event="check", address=FIRST, reason="ok")
        self.assertEqual(len(hard.events(event="answer")), answers)
        self.assert_nobody_down(hard)

    # --- Descriptors ------------------------------------------------------------------------------

    def test_no_descriptors(self):
        """All is frozen, also what is at home."""
        hard = self.daemon()
        pid = hard.process.popen.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        before = self.published()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        hard.wait_event(event="local-fault", cause="no descriptors")
        self.home[0].kill()
        self.wait_failures(hard, FIRST, SECOND, "127.0.1.1", "127.0.1.2")
        self.assertEqual(harness.getent(HOME), ["127.0.1.1"])
        self.assertEqual(self.published(), before)
        self.assert_nobody_down(hard)
        asked = self.requests()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        hard.wait_event(event="local-fault-over")
        self.wait_all_asked(asked)
        self.assert_answer(HOME, ["127.0.1.2"])
        self.assert_one_fault(hard)
        self.assert_nobody_down(hard, "127.0.1.1")


harness.main()
