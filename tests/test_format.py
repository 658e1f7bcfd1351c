"""docs/format.md: numbered to the sentence, complete over what the reader tells, its examples read as it says."""

import json
import re

import pytest

from tests.conftest import ROOT
from tests.rules_proved import rules
from tests.testing.conformance import readers
from workermd.contract.parsed import parsed, parsed_schema
from workermd.contract.reader import read
from workermd.contract.rules import RULES
from workermd.contract.schema import checker

PAGE = (ROOT / "docs" / "format.md").read_text()
HEAD, EXAMPLES = PAGE.split("## Examples\n")
SENTENCES = re.findall(r"^- \*\*F(\d+)\.(\d+)\*\* (.*)$", HEAD, re.MULTILINE)
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", EXAMPLES, re.MULTILINE | re.DOTALL)
DOCUMENTS = [text for kind, text in BLOCKS if kind == "markdown"]


def test_every_sentence_has_an_id_of_its_own():
    numbers = [(int(part), int(n)) for part, n, _ in SENTENCES]
    assert numbers == sorted(set(numbers))
    counts = [sum(part == each for part, _ in numbers) for each in range(1, numbers[-1][0] + 1)]
    assert numbers == [(part, n) for part, count in enumerate(counts, 1) for n in range(1, count + 1)], (
        "no number is left out"
    )
    below = re.sub(r"^# .*?(?=^## 1\.)", "", HEAD, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in below.splitlines() if line and not re.match(r"## \d+\. |- \*\*F\d+\.\d+\*\* ", line)] == []
    for part, n, text in SENTENCES:
        said = re.sub(r"( \[[^\]]*\])?( \*ours[^*]*\*)?$", "", text)
        assert re.fullmatch(r"(?:[^.]|\.(?=\S))+\.", said), f"F{part}.{n} is one sentence"


def test_what_the_reader_refuses_stands_in_the_format():
    named = set(re.findall(r"WM\d{3}", HEAD))
    assert named <= RULES.keys()
    reading = {code for code, rule in RULES.items() if rule.severity == "error" and code[2] in "123467"}
    beyond = {"WM125", "WM713"}
    assert reading - named == beyond, "a way of calling, and what only validate asks for"
    assert set(re.findall(r"S\d+\.\d+", HEAD)) <= set(rules())


def test_the_examples_are_read_as_the_page_says():
    registry, site, wrong = (read(text.encode(), "shout.worker.md") for text in DOCUMENTS)
    told = re.search(r"the findings `(.*?)` \(F3.2\) and `(.*?)` \(F7.6\)", EXAMPLES)
    errors = [f"{each.line}:{each.column} {each.code}" for each in wrong.findings if each.severity == "error"]
    assert [*told.groups()] == errors
    assert {each.code for each in (*registry.findings, *site.findings) if each.severity == "error"} == set()
    assert parsed(registry.contract) == json.loads(next(text for kind, text in BLOCKS if kind == "json"))
    assert site.contract.shape == "site"


PLACES = [
    *(ROOT / "registry").glob("*.worker.md"),
    *(ROOT / "contracts").glob("*.worker.md"),
    *(ROOT / "tests" / "examples").glob("*.worker.md"),
]


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in PLACES])
def test_every_contract_has_a_parsed_form_that_its_schema_accepts(path):
    form = parsed(read(path.read_bytes(), path.name).contract)
    judge = checker(parsed_schema(), "2020-12")
    assert judge.check(form) == ()
    for spoiled in (
        {"shape": "page"},
        {"statuses": []},
        {"constraints": form["constraints"] | {"timeout": 1}},
        {"more": 1},
    ):
        assert judge.check(form | spoiled), spoiled


def test_the_kits_documents_are_those_of_our_reader():
    assert readers.PLACE.read_text() == readers.document(), (
        "write them anew: python -m tests.testing.conformance.readers"
    )
    codes = {code for case in readers.cases() for code in re.findall(r"WM\d+", json.dumps(case["steps"]))}
    assert len(codes) >= 50
