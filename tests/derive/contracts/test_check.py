"""Every planted drift is found, and an update rewrites what drifted and nothing else."""

import pytest

from tests.derive.contracts import texts
from tests.derive.contracts.test_compose import AUTOGEN_FACTS, AUTOGEN_FILES, TOOL_FILES
from workermd.contract.reader import read
from workermd.derive import record as records
from workermd.derive.check import check, examine, update
from workermd.derive.compose import derive
from workermd.derive.evidence import of_lines, open_source
from workermd.derive.model import Interface
from workermd.derive.record import text_sha256
from workermd.protocol.errors import DeriveError

README = AUTOGEN_FILES["README.md"]


@pytest.fixture
def quotes():
    return "full"


@pytest.fixture
def contract(build, quotes):
    return derive(build(AUTOGEN_FILES, **AUTOGEN_FACTS), quotes=quotes).text


def found(contract, repository):
    return {(drift.state, drift.field) for drift in check(contract, repository)}


def test_an_unchanged_repository_is_true(build, contract):
    later = build({"other.txt": "x"}, **AUTOGEN_FACTS)
    assert check(contract, later) == ()
    assert len(examine(contract, later)) > 10
    assert update(contract, later, derive(later)).text == contract


@pytest.mark.parametrize("quotes", ["full", "none"])
@pytest.mark.parametrize(
    ("files", "facts", "expected"),
    [
        ({"README.md": README.replace("3.10", "3.12")}, {}, ("changed", "supported_versions")),
        (
            {"README.md": README.replace("AutoGen requires **Python 3.10 or later**.", "")},
            {},
            ("gone", "supported_versions"),
        ),
        ({"README.md": README.replace("is a framework for", "was a framework for")}, {}, ("changed", "summary")),
        ({"README.md": README.replace("# AutoGen\n", "# AutoGen\n\n\n")}, {}, ("moved", "summary")),
        ({"README.md": None, "docs/README.md": README}, {}, ("moved", "install")),
        ({"README.md": None}, {}, ("gone", "summary")),
        ({"LICENSE-CODE": texts.BSD_3}, {}, ("changed", "repository_license")),
        ({"LICENSE-CODE": texts.BSD_3}, {}, ("new", "repository_license")),
        ({"LICENSE-CODE": None, "LICENSE": None}, {"licence": None}, ("gone", "repository_license")),
        ({"README.md": README.replace("autogenstudio", "studio")}, {}, ("changed", "install")),
        ({"README.md": README.replace("is now in maintenance mode", "is now archived")}, {}, ("new", "status")),
        ({}, {"archived": True}, ("new", "status")),
        ({}, {"description": "Another thing"}, ("changed", "repository_description")),
        ({}, {"topics": ("agents",)}, ("changed", "tag")),
    ],
)
def test_planted_drifts(build, contract, quotes, files, facts, expected):
    later = build(files, **(AUTOGEN_FACTS | facts))
    fresh = derive(later, quotes=quotes)
    assert expected in found(contract, later)
    updated = update(contract, later, fresh)
    assert updated.left == ()
    assert read(updated.text.encode(), "a.worker.md").findings == ()
    assert check(updated.text, later) == ()
    assert update(updated.text, later, fresh).text == updated.text
    quoted = [each.quote for claim in records.find(updated.text).record.claims for each in claim.evidence if each.path]
    assert quotes == "full" or not any(quoted)


def test_a_local_clone_does_not_know_the_host(build, contract):
    local = {"description": None, "licence": None, "topics": (), "stars": None, "language": None, "archived": True}
    states = {drift.state for drift in check(contract, build({}, **(AUTOGEN_FACTS | local)))}
    assert states == {"unchecked"}


def test_the_author_keeps_edits(build, contract):
    edited = (
        contract.replace("Purpose: Execute one orchestrated agent task as a bounded worker step.", "Purpose: Mine.")
        .replace("- timeout_seconds: 30", "- timeout_seconds: 45")
        .replace("# autogen Repo-Derived Worker\n", "# My worker\n\nProse of mine.\n")
        .replace("repository_license: MIT", "repository_license: MIT OR Apache-2.0")
        .replace('"minLength": 1,\n      "description": "What to do."', '"minLength": 9,\n      "description": "Mine."')
    )
    assert edited.count("Mine.") == 2
    later = build({"README.md": README.replace("3.10", "3.12"), "LICENSE-CODE": texts.BSD_3}, **AUTOGEN_FACTS)
    updated = update(edited, later, derive(later))
    for words in (
        "Purpose: Mine.",
        "timeout_seconds: 45",
        "# My worker\n\nProse of mine.",
        '"minLength": 9',
        "MIT OR Apache-2.0",
    ):
        assert words in updated.text
    assert updated.left == ("front/repository_license",)
    assert "Python 3.12 or later" in updated.text
    assert "Python 3.10" not in updated.text
    assert check(updated.text, later) == ()
    before, after = read(edited.encode(), "a.worker.md").contract, read(updated.text.encode(), "a.worker.md").contract
    assert before.meaning_sha256 == after.meaning_sha256


def an_interface(repository, kind, at=1):
    source = open_source(repository, "api.txt")
    schema = {"type": "object", "properties": {"size": {"type": kind}}, "required": ["size"]}
    evidence = (of_lines(repository, source, at, at),)
    return Interface("function", "api.txt", "make", "Make.", schema, {"type": "object"}, evidence)


def test_a_changed_interface_changes_the_schema_where_nobody_touched_it(build):
    first = build({**TOOL_FILES, "api.txt": "make(size: int)\n"})
    text = derive(first, an_interface(first, "integer")).text
    later = build({"api.txt": "make(size: str)\n"})
    assert ("changed", "interface") in found(text, later)
    fresh = derive(later, an_interface(later, "string"))
    updated = update(text, later, fresh)
    assert updated.left == ()
    assert check(updated.text, later) == ()
    contract = read(updated.text.encode(), "a.worker.md").contract
    assert contract.input_schema == fresh.schemas.input_schema
    block = updated.text.split("```json x-workermd-evidence\n")[1].removesuffix("\n```\n")
    assert contract.front_matter["x-evidence-sha256"] == text_sha256(block)
    edited = text.replace('"type": "integer"', '"type": "integer",\n      "maximum": 9')
    kept = update(edited, later, fresh)
    assert kept.left == ("Input schema",)
    assert '"maximum": 9' in kept.text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("x-workermd-evidence\n", "other\n", "has no evidence block"),
        ('"schema_version": 1', '"schema_version": 2', "another version"),
        ('"claims": [', '"claims": [7, ', "damaged"),
        ('"commit": "', '"commit": "--upload-pack=', "names no commit"),
        ('"stars": 1234', '"stars": 1234,', "no strict JSON"),
        ('"confidence": 0.99', '"confidence": "1"', "damaged"),
    ],
)
def test_a_damaged_block_is_refused(build, contract, old, new, message):
    head, mark, block = contract.partition("## Evidence (machine-readable)")
    damaged = head + mark + block.replace(old, new)
    assert damaged != contract
    with pytest.raises(DeriveError, match=message):
        check(damaged, build({}, **AUTOGEN_FACTS))


def test_an_interface_whose_lines_moved(build):
    first = build({**TOOL_FILES, "api.txt": "make(size: int)\n"})
    text = derive(first, an_interface(first, "integer")).text
    later = build({"api.txt": "# above\n\nmake(size: int)\n"})
    assert ("moved", "interface") in found(text, later)
    (moved, *_) = [drift for drift in check(text, later) if drift.field == "interface"]
    assert (moved.found.first_line, moved.found.last_line) == (3, 3)
    elsewhere = build({"api.txt": None, "lib/api.txt": "make(size: int)\n"})
    assert ("moved", "interface") in found(text, elsewhere)


@pytest.mark.parametrize(("copies", "nearest"), [((2, 13, 40), 13), ((1, 9, 14), 9)], ids=["below", "above"])
def test_of_several_copies_the_nearest_is_the_one_that_moved(build, copies, nearest):
    """Not the first in the file: a line that is written often would be cited in a place of another matter."""
    line = "make(size: int)\n"
    first = build({**TOOL_FILES, "api.txt": "\n" * 10 + line})
    text = derive(first, an_interface(first, "integer", at=11)).text
    later = build({"api.txt": "".join(line if number in copies else "\n" for number in range(1, 50))})
    (moved, *_) = [drift for drift in check(text, later) if drift.field == "interface"]
    assert (moved.state, moved.found.first_line) == ("moved", nearest)
