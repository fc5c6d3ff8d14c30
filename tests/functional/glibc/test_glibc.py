"""Each row, family, flag and hosts line gives what it must, through glibc's own functions.

What they must give comes from a model, model.py. After har on the hosts line comes a DNS server
that knows every name, so that an answer shows whether the next service was asked.
"""

import ctypes
import errno
import itertools
import os
import shutil
import socket
import sqlite3
import time
from socket import (AF_INET, AF_INET6, AF_UNSPEC, AI_ADDRCONFIG, AI_ALL, AI_CANONNAME,
                    AI_NUMERICHOST, AI_V4MAPPED, EAI_AGAIN, EAI_NODATA, EAI_NONAME)

import harness
import model
from model import LINES, NAMES, Machine, Said, Told

# --- Calls ------------------------------------------------------------------------------------

POISON_INT = 0x25a5a5a5

libc = ctypes.CDLL(None, use_errno=True)
libc.__h_errno_location.restype = ctypes.POINTER(ctypes.c_int)
# So that glibc, asking for this soname, finds the module without LD_LIBRARY_PATH, which this
# process was started without.
module = ctypes.CDLL(f"{harness.BUILD}/libnss_har.so.2")


class Hostent(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("aliases", ctypes.POINTER(ctypes.c_char_p)),
                ("family", ctypes.c_int), ("length", ctypes.c_int),
                ("addresses", ctypes.POINTER(ctypes.c_void_p))]

    def said(self):
        packed = [ctypes.string_at(at, self.length)
                  for at in itertools.takewhile(bool, self.addresses)]
        aliases = [text.decode() for text in itertools.takewhile(bool, self.aliases)]
        return Said(model.SUCCESS, [socket.inet_ntop(self.family, address) for address in packed],
                    self.name.decode(), aliases)


libc.gethostbyname.restype = libc.gethostbyname2.restype = ctypes.POINTER(Hostent)


def getaddrinfo(name, family, flags):
    try:
        found = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror as error:
        return error.errno
    return [entry[4][0] for entry in found], "".join(entry[3] for entry in found)


def call(name, family, errno_before):
    """gethostbyname2, or gethostbyname where family is AF_UNSPEC."""
    h_errno = libc.__h_errno_location()
    h_errno[0] = POISON_INT
    ctypes.set_errno(errno_before)
    host = (libc.gethostbyname2(name.encode(), family) if family
            else libc.gethostbyname(name.encode()))
    if host:
        return Told(host.contents.said(), None, ctypes.get_errno(), None)
    return Told(None, h_errno[0], ctypes.get_errno(), None)


def call_r(name, family, errno_before, buffer, size):
    """gethostbyname2_r, or gethostbyname_r where family is AF_UNSPEC."""
    host, result, h_errno = Hostent(), ctypes.pointer(Hostent()), ctypes.c_int(POISON_INT)
    rest = (ctypes.byref(host), buffer, ctypes.c_size_t(size), ctypes.byref(result),
            ctypes.byref(h_errno))
    ctypes.set_errno(errno_before)
    code = (libc.gethostbyname2_r(name.encode(), family, *rest) if family
            else libc.gethostbyname_r(name.encode(), *rest))
    return Told(host.said() if result else None, h_errno.value, ctypes.get_errno(), code)


# --- The story --------------------------------------------------------------------------------

POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)
FAMILIES = [AF_UNSPEC, AF_INET, AF_INET6]
FLAGS = [sum(flags) for count in range(5) for flags in
         itertools.combinations([AI_CANONNAME, AI_ADDRCONFIG, AI_V4MAPPED, AI_ALL], count)]


def write_rows():
    """Puts ROWS into the ranking that a daemon left behind."""
    now = int(time.time())
    with sqlite3.connect(harness.RANKING) as ranking:
        ranking.executemany("insert into answer values (?, ?, ?, ?, ?, ?, null)",
                            [(name, row.status, row.addresses, row.answers, row.alias_of,
                              now - 1 if row.expired else now + 3600)
                             for name, row in model.ROWS.items()])
    ranking.close()


def put(path, content):
    with open(path, "wb") as out:
        out.write(content)


def set_machine(machine):
    for has, addresses in ((machine.ipv4, ["192.0.2.1/32"]),
                           (machine.ipv6, [f"{address}/128" for address in harness.IPV6])):
        for address in addresses:
            harness.run("ip", "address", "replace" if has else "delete", address, "dev", "lo",
                        check=False)


class Glibc(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.write("/etc/gai.conf", "")  # the order of addresses is glibc's own
        cls.has_ipv6 = harness.have_ipv6()
        cls.dns = harness.Dns(model.DNS4, model.DNS6)
        cls.addClassCleanup(harness.set_nsswitch)

    def setUp(self):
        super().setUp()
        self.hard({}).stop()
        write_rows()

    def compare(self, cases):
        """cases: (what was asked, expected, found)."""
        cases = list(cases)
        wrong = [f"{asked}: {found}, not {wanted}" for asked, wanted, found in cases
                 if found != wanted]
        self.assertTrue(cases)
        if wrong:
            self.fail(f"{len(wrong)} of {len(cases)}\n" + "\n".join(wrong[:20]))
        return [found for asked, wanted, found in cases]

    def ask_getaddrinfo(self, machine, flags=FLAGS):
        for line in LINES:
            harness.set_nsswitch(line)
            for asked in itertools.product(NAMES, FAMILIES, flags):
                yield ((line, machine, *asked),
                       model.expected_of_getaddrinfo(line, *asked, machine),
                       getaddrinfo(*asked))

    def test_getaddrinfo(self):
        found = self.compare(self.ask_getaddrinfo(Machine(True, self.has_ipv6)))
        self.assertEqual({code for code in found if isinstance(code, int)},
                         {EAI_NONAME, EAI_NODATA, EAI_AGAIN})

    def test_getaddrinfo_on_machines_without_one_family(self):
        """AI_ADDRCONFIG hides the family of which the machine has no address."""
        self.addCleanup(set_machine, Machine(True, self.has_ipv6))
        for machine in [Machine(True, False), Machine(False, False), Machine(False, True)]:
            if self.has_ipv6 or not machine.ipv6:
                set_machine(machine)
                self.compare(self.ask_getaddrinfo(machine))

    def test_numeric_names(self):
        """They are glibc's own; AI_NUMERICHOST keeps every other one from us."""
        machine = Machine(True, self.has_ipv6)
        self.compare(self.ask_getaddrinfo(machine, [AI_NUMERICHOST, AI_NUMERICHOST | AI_CANONNAME]))
        for address in (model.FOUR[0], model.SIX[0]):
            self.assertEqual(getaddrinfo(address, AF_UNSPEC, 0), ([address], ""))

    def ask_gethostbyname(self):
        room = ctypes.create_string_buffer(2048)
        for line in LINES:
            harness.set_nsswitch(line)
            for name, family, before in itertools.product(NAMES, FAMILIES,
                                                          (0, errno.ERANGE, 4321)):
                asked = (line, name, family, before)
                yield (asked, model.expected_of_gethostbyname(line, name, family, False),
                       call(name, family, before))
                yield ((*asked, "_r"), model.expected_of_gethostbyname(line, name, family, True),
                       call_r(name, family, before, room, len(room)))

    def test_gethostbyname(self):
        self.compare(self.ask_gethostbyname())

    def assert_buffers(self, line, name, family, room):
        poison = bytes([0xa5]) * len(room)
        needed = model.expected_bytes(model.har(name, family or AF_INET), POINTER_BYTES)
        fits = model.expected_of_gethostbyname(line, name, family, True)
        for size in range(needed + 17):
            room.raw = poison
            told = call_r(name, family, 0, room, size)
            self.assertEqual(told, fits if size >= needed else model.TOO_SMALL, (name, size))
            used = needed if size >= needed else 0
            self.assertEqual(room.raw[used:], poison[used:])

    def test_small_buffers(self):
        """ERANGE until the answer fits, and nothing written; no next service that needs less."""
        room = ctypes.create_string_buffer(1024)
        self.assertEqual(ctypes.addressof(room) % POINTER_BYTES, 0)
        names = [model.full(name) for name in ("both", "three-alias", "sixteen")]
        for line in LINES:
            harness.set_nsswitch(line)
            for name, family in itertools.product(names, FAMILIES):
                self.assert_buffers(line, name, family, room)

    def test_other_statuses_need_no_buffer(self):
        harness.set_nsswitch("har")
        for name, family in itertools.product(NAMES, FAMILIES):
            if model.har(name, family or AF_INET).status != model.SUCCESS:
                self.assertEqual(call_r(name, family, 0, None, 0),
                                 model.expected_of_gethostbyname("har", name, family, True), name)

    def test_no_ranking(self):
        """Every name goes on to the next service, and errno says what failed."""
        with open(harness.RANKING, "rb") as ranking:
            good = ranking.read()
        self.addCleanup(shutil.rmtree, harness.RANKING, ignore_errors=True)
        for error, make in [
                (errno.ENOENT, lambda path: None),
                (errno.EBADMSG, lambda path: put(path, b"this is no ranking\n" * 1000)),
                (errno.EBADMSG, lambda path: put(path, good[:200])),
                (errno.EBADMSG, lambda path: put(path, good[:68] + b"else" + good[72:])),
                (errno.ELOOP, lambda path: os.symlink("/dev/null", path)),
                (errno.ESPIPE, os.mkfifo),
                (errno.EISDIR, os.mkdir)]:
            harness.forget_ranking()
            make(harness.RANKING)
            harness.set_nsswitch("har")
            for name, family in itertools.product(NAMES, FAMILIES):
                self.assertEqual(call_r(name, family, 0, None, 0),
                                 Told(None, model.NO_RECOVERY, error, error), name)
            harness.set_nsswitch()
            for name, family in itertools.product(NAMES, FAMILIES):
                from_dns = model.as_sorted(model.dns(name, family).addresses)
                self.assertEqual(getaddrinfo(name, family, 0), (from_dns, ""), name)


harness.main()
