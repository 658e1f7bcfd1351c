"""Our SHA-256 is SHA-256: the ledger and the cache hold its digests (the same on every interpreter)."""

import hashlib
import sys

import pytest

from workermd.system import digest


@pytest.mark.parametrize("data", [b"", b"abc", bytes(range(256)) * 1000])
def test_the_digest_is_the_one_of_hashlib(data):
    assert digest.sha256(data) == hashlib.sha256(data).digest()


def test_an_interpreter_without_the_built_in_module_uses_hashlib(monkeypatch):
    for name in ("_sha2", "_sha256"):
        monkeypatch.setitem(sys.modules, name, None)
    assert digest._algorithm() is hashlib.sha256
