"""The hosts of the links in a text."""

from collections.abc import Iterator
from urllib.parse import urlsplit

_ENDS = frozenset('/?#"<>` \t\r\n')
_TRAILING = "'),;.:!]}*_"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")


def hosts_in(text: str) -> Iterator[str | None]:
    """The host, in lower case, of everything that looks like `scheme://…`; None where programs could disagree
    about the host (a user part, a backslash, an escape, a character beyond ASCII, an address in brackets)."""
    at = text.find("://")
    while at >= 0:
        start = at + 3
        end = start
        while end < len(text) and text[end] not in _ENDS:
            end += 1
        if end > start:
            yield _host(text[start:end])
        at = text.find("://", end)


def _host(authority: str) -> str | None:
    # What follows a link in prose is cut off; anything odd that is left inside is not interpreted.
    host = authority.lower().rstrip(_TRAILING)
    if set(host) - _PLAIN - {":"}:
        return None
    try:
        named = urlsplit(f"//{host}")
        _ = named.port
    except ValueError:
        return None
    return named.hostname or None
