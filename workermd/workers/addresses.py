"""Which network addresses a worker may connect to."""

import ipaddress
import re
import socket

_NUMERIC_HOST = re.compile(r"(?:.*\.)?(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?\Z")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotAllowed(Exception):
    """The host leads to an address that is not public. The message is one line without the address."""


class NotFound(Exception):
    """The host has no address."""


class TryAgain(Exception):
    """The name service did not answer."""


def resolve(host: str, port: int, *, private_allowed: bool) -> str:
    """The first address of `host`: connect to it, never to the name again. Unless `private_allowed`, every address of it has to be public: a name
    that leads to a private one among others is refused. Raises the three exceptions above."""
    literal = _literal(host)
    if literal is None and _NUMERIC_HOST.match(host):
        raise NotAllowed("the host is a number that is not a plain dotted IPv4 address")
    addresses = [host] if literal is not None else _look_up(host, port)
    if not private_allowed and not all(is_public(address) for address in addresses):
        raise NotAllowed("the host leads to a private, loopback, link-local or reserved address")
    return addresses[0]


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _look_up(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise TryAgain("the name service did not answer") from None
        raise NotFound("the host has no address") from None
    except (UnicodeError, ValueError, OSError):
        raise NotFound("the host name is not usable") from None
    return [str(entry[4][0]) for entry in found]


def is_public(address: str) -> bool:
    """True for an address that is globally reachable, also once an IPv4 address inside it is unwrapped."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return ip.is_global and not ip.is_multicast and not ip.is_reserved
    if ip.scope_id is not None or ip.teredo is not None:
        return False
    if ip.ipv4_mapped is not None:
        return is_public(str(ip.ipv4_mapped))
    if ip.sixtofour is not None:
        return is_public(str(ip.sixtofour))
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    # 2000::/3 is all of the global unicast space that has been assigned.
    return ip.is_global and int(ip) >> 125 == 1
