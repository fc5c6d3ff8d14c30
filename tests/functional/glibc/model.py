"""What the glibc story expects: section 4 of the contract in har(), and what glibc makes of it.

No address here has a route: see as_sorted.
"""

import errno
from socket import (AF_INET, AF_INET6, AF_UNSPEC, AI_ADDRCONFIG, AI_ALL, AI_CANONNAME,
                    AI_NUMERICHOST, AI_V4MAPPED, EAI_AGAIN, EAI_NODATA, EAI_NONAME)
from typing import NamedTuple, Optional

# --- Rows of the ranking ----------------------------------------------------------------------


class Row(NamedTuple):
    status: str
    addresses: str = ""
    answers: int = 1
    alias_of: Optional[str] = None
    expired: bool = False


FOUR = [f"198.51.100.{place}" for place in range(1, 17)]
SIX = [f"2001:db8:5::{place:x}" for place in range(1, 17)]
MIXED = f"{SIX[0]} {FOUR[0]} {FOUR[1]} {SIX[1]} {FOUR[2]}"
ROWS = {
    "both": Row("answer", MIXED),
    "both-ipv4-first": Row("answer", f"{FOUR[0]} {SIX[0]}"),
    "both-alias": Row("answer", MIXED, 1, "both"),
    "ipv4": Row("answer", f"{FOUR[0]} {FOUR[1]}"),
    "ipv6": Row("answer", f"{SIX[0]} {SIX[1]}"),
    "ipv6-alias": Row("answer", f"{SIX[0]} {SIX[1]}", 1, "ipv6"),
    "three": Row("answer", MIXED, 3),
    "three-alias": Row("answer", MIXED, 3, "three"),
    "sixteen": Row("answer", " ".join(map(" ".join, zip(FOUR, SIX))), 16),
    "nothing": Row("answer"),
    "fail": Row("fail"),
    "fail-alias": Row("fail", "", 1, "fail"),
    "fail-with-addresses": Row("fail", MIXED),
    "forward": Row("forward"),
    "forward-with-addresses": Row("forward", MIXED),
    "word-of-tomorrow": Row("answers", MIXED),
    "expired": Row("answer", MIXED, expired=True),
    "expired-fail": Row("fail", expired=True),
}


def full(name):
    """For a first letter that is no hexadecimal digit: after one, glibc itself takes a part of the
    buffer, to see whether the name is an IPv6 address."""
    return f"host-{name}.example.com"


ROWS = {full(name): row._replace(alias_of=row.alias_of and full(row.alias_of))
        for name, row in ROWS.items()}
NAMES = [*ROWS, "Host-Three-ALIAS.Example.com.", "HOST-FAIL.example.com",
         "host-nothing.example.com.", "host-absent.example.com", "x.host-both.example.com"]


def family_of(address):
    return AF_INET6 if ":" in address else AF_INET


# --- What each service says -------------------------------------------------------------------

SUCCESS, NOTFOUND, TRYAGAIN, UNAVAIL = "SUCCESS", "NOTFOUND", "TRYAGAIN", "UNAVAIL"


class Said(NamedTuple):
    """By one service."""
    status: str
    addresses: list = []
    canonical: str = ""
    aliases: list = []
    error: int = 0


def har(name, family):
    name = name.lower().rstrip(".")
    row = ROWS.get(name)
    if row is None:
        return Said(UNAVAIL, error=errno.ENOENT)
    if row.expired:
        return Said(UNAVAIL, error=errno.ESTALE)
    if row.status == "fail":
        return Said(TRYAGAIN, error=errno.EAGAIN)
    if row.status != "answer":
        return Said(UNAVAIL, error=errno.ENOENT)
    addresses = [address for address in row.addresses.split()
                 if family in (AF_UNSPEC, family_of(address))][:row.answers]
    if not addresses:
        return Said(NOTFOUND)
    return Said(SUCCESS, addresses, row.alias_of or name, [name] if row.alias_of else [])


DNS4, DNS6 = "198.51.100.53", "2001:db8:5::53"


def dns(name, family):
    addresses = {AF_UNSPEC: [DNS4, DNS6], AF_INET: [DNS4], AF_INET6: [DNS6]}[family]
    return Said(SUCCESS, addresses, name.rstrip("."))


# A hosts line, and its services with the statuses at which glibc stops. Success always is one. In
# the second line it is the only one: there DNS may bring back an address that har found dead.
LINES = {
    "har [!UNAVAIL=return] dns": [(har, {NOTFOUND, TRYAGAIN}), (dns, set())],
    "har dns": [(har, set()), (dns, set())],
    "har": [(har, set())],
}

# --- What glibc makes of it -------------------------------------------------------------------


class Machine(NamedTuple):
    """Whether it has addresses other than loopback ones."""
    ipv4: bool
    ipv6: bool


def as_sorted(addresses):
    """RFC 6724, where nobody has a route: by precedence, IPv6 before IPv4 (mapped or not)."""
    return sorted(addresses, key=lambda address: "." in address)


def ask(service, name, family, flags):
    """All that getaddrinfo asks one service; for AF_INET6 it maps IPv4 addresses itself."""
    said = service(name, family)
    wants_mapped = family == AF_INET6 and flags & AI_V4MAPPED
    if not wants_mapped or (said.status == SUCCESS and not flags & AI_ALL):
        return said
    also = service(name, AF_INET)
    if also.status != SUCCESS:
        return said
    return also._replace(addresses=said.addresses + ["::ffff:" + text for text in also.addresses])


def expected_of_getaddrinfo(line, name, family, flags, machine):
    """The addresses and the canonical name that getaddrinfo returns, or its error."""
    if flags & AI_ADDRCONFIG:
        # On a machine with loopback addresses alone, AF_UNSPEC stays what it is.
        if family == AF_UNSPEC and machine.ipv4 != machine.ipv6:
            family = AF_INET if machine.ipv4 else AF_INET6
        if not {AF_UNSPEC: True, AF_INET: machine.ipv4, AF_INET6: machine.ipv6}[family]:
            return EAI_NONAME
    if flags & AI_NUMERICHOST:
        return EAI_NONAME
    for service, final in LINES[line]:
        said = ask(service, name, family, flags)
        if said.status == SUCCESS:
            return as_sorted(said.addresses), said.canonical if flags & AI_CANONNAME else ""
        if said.status in final:
            break
    if said.status == UNAVAIL and family == AF_INET and not flags & AI_CANONNAME:
        # Here glibc goes through gethostbyname2_r, whose every failure that is not temporary
        # it takes for a name without data.
        return EAI_NODATA
    return {NOTFOUND: EAI_NODATA, TRYAGAIN: EAI_AGAIN, UNAVAIL: EAI_NONAME}[said.status]


class Told(NamedTuple):
    """By gethostbyname or a relative. Success without _r says nothing about h_errno; only _r
    returns a code."""
    said: Optional[Said]
    h_errno: Optional[int]
    errno: int
    code: Optional[int]


TRY_AGAIN, NO_RECOVERY, NO_DATA, NETDB_INTERNAL = 2, 3, 4, -1  # netdb.h
TOO_SMALL = Told(None, NETDB_INTERNAL, errno.ERANGE, errno.ERANGE)


def expected_of_gethostbyname(line, name, family, reentrant):
    for service, final in LINES[line]:
        said = service(name, family or AF_INET)
        if said.status == SUCCESS or said.status in final:
            break
    code = said.error if reentrant else None
    # Where there is no error to tell, glibc itself clears errno.
    if said.status == SUCCESS:
        return Told(said, 0 if reentrant else None, 0, code)
    h_errno = {NOTFOUND: NO_DATA, TRYAGAIN: TRY_AGAIN, UNAVAIL: NO_RECOVERY}[said.status]
    return Told(None, h_errno, said.error, code)


def expected_bytes(said, pointer_bytes):
    """Of a buffer that begins where a pointer may, for a struct hostent."""
    pointers = len(said.addresses) + 1 + len(said.aliases) + 1
    address_bytes = 4 if family_of(said.addresses[0]) == AF_INET else 16
    return (pointers * pointer_bytes + len(said.addresses) * address_bytes
            + sum(len(name) + 1 for name in [said.canonical, *said.aliases]))
