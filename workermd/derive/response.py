"""What a host's API answered, from the network or from the cache."""

from typing import NamedTuple


class ApiResponse(NamedTuple):
    """`headers` have lower-case names; `body` is without content encoding."""

    status: int
    headers: dict[str, str]
    body: bytes
