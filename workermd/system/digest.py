"""SHA-256 without OpenSSL. `hashlib` loads that library, which costs a quarter of an interpreter start; the
interpreter has the algorithm built in as well, under a name that differs between its versions."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def _algorithm() -> Callable[[bytes], Any]:
    for module in ("_sha2", "_sha256", "hashlib"):
        try:
            found: Callable[[bytes], Any] = import_module(module).sha256
        except ImportError:
            continue
        return found
    raise ImportError("this Python has no SHA-256")


_sha256 = _algorithm()


def sha256(data: bytes) -> bytes:
    """The 32 bytes of the SHA-256 of `data`."""
    digest: bytes = _sha256(data).digest()
    return digest
