"""A registry hands out the bytes that were entered, and no others."""

import json

import pytest

from tests.conftest import contract_text
from workermd.protocol.errors import ContractUnusable
from workermd.registry import lookup
from workermd.system.digest import sha256


def entered(folder, name="echo"):
    text = contract_text(id=name)
    entry, new = lookup.add(text.encode(), str(folder))
    assert new
    return entry


def test_what_was_entered_is_handed_out(tmp_path):
    entry = entered(tmp_path)
    found = lookup.resolve("echo", (str(tmp_path),))
    assert (found.data, found.digest) == (contract_text().encode(), entry.digest)


@pytest.mark.parametrize("place", [0, 11, 12, 63])
def test_every_digit_of_a_digest_counts(tmp_path, place):
    """A message shows the first twelve; the comparison takes all of them."""
    entry = entered(tmp_path)
    index = tmp_path / lookup.INDEX
    (row,) = json.loads(index.read_text())
    other = "0" if entry.digest[place] != "0" else "1"
    row["digest"] = entry.digest[:place] + other + entry.digest[place + 1 :]
    index.write_text(json.dumps([row]))
    with pytest.raises(ContractUnusable, match="not what was entered"):
        lookup.resolve("echo", (str(tmp_path),))
    with pytest.raises(ContractUnusable, match="not what was entered"):
        lookup.reading_of(entry._replace(digest=row["digest"]))
    assert [fault.word for fault in lookup.verify(str(tmp_path))] == ["echo@1.0.0"]


def test_a_file_that_changed_by_a_byte_is_not_handed_out(tmp_path):
    entry = entered(tmp_path)
    changed = contract_text().replace("Answer one question.", "Answer two question.")
    (tmp_path / entry.file).write_text(changed)
    assert sha256(changed.encode()).hex() != entry.digest
    with pytest.raises(ContractUnusable, match="not what was entered"):
        lookup.resolve("echo@1.0.0", (str(tmp_path),))
