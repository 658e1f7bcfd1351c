"""The JSON Schema of a contract's keys: it says what the forms say, and real contracts match it."""

import json
import re
from pathlib import Path

import frontmatter
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.conftest import ROOT
from workermd.contract.constraints import FORMS
from workermd.contract.fields import FIELDS, KNOWN
from workermd.contract.forms import WrongForm
from workermd.contract.keys import _SCHEMAS, CONSTRAINT_MEANINGS, MEANINGS, contract_schema

SCHEMA = contract_schema()
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
CONSTRAINTS = Draft202012Validator({**SCHEMA, "$ref": "#/$defs/constraints", "required": [], "anyOf": [True]})
CONTRACTS = [*ROOT.glob("contracts/*.md"), *ROOT.glob("registry/*.md")]
VALUES = [
    None, True, 0, 1, -1, 2, 0.5, 1.5, 2.0, 1e9, 1e10, 2**53, "", "a", "a b", "1.0", "1.0.0-rc.1", "1", "http://x", "ftp://x",
    "https://", "2026-02-28", "2026-02-30", "26-1-1", "exponential", "linear", [], ["a"], ["a", "a"], ["a b"], [""], [1], {}, {"a": 1}, "...", "a.b-c_d",
    ["a(b=c, d=*)"], ["a(b"], ["a (b=c)"], "none", "loopback", ["a.example:443"], ["*.example:443"], ["a.example"],
    ["read(rules)", "write(cache)"], ["read(/etc)"],
]  # fmt: skip


def test_every_key_has_a_meaning():
    assert set(MEANINGS) == set(KNOWN)
    assert set(CONSTRAINT_MEANINGS) == set(FORMS)
    assert all(text.endswith(".") for text in [*MEANINGS.values(), *CONSTRAINT_MEANINGS.values()])


@pytest.mark.parametrize("form", _SCHEMAS, ids=lambda form: form.__name__)
def test_a_schema_accepts_what_the_form_accepts(form):
    validator = Draft202012Validator(_SCHEMAS[form], format_checker=Draft202012Validator.FORMAT_CHECKER)
    verdicts = set()
    for value in VALUES:
        try:
            form(value, False)
            accepted = True
        except WrongForm:
            accepted = False
        if isinstance(value, float) and value.is_integer() and "integer" in _SCHEMAS[form].get("type", ""):
            continue  # to JSON Schema 2.0 is an integer, to a contract it is not
        assert validator.is_valid(value) == accepted, value
        verdicts.add(accepted)
    assert verdicts == {True, False}


def test_every_form_has_a_schema():
    assert {*FIELDS.values(), *FORMS.values()} == set(_SCHEMAS)


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.name)
def test_the_front_matter_of_real_contracts_matches(path):
    keys = json.loads(json.dumps(frontmatter.loads(path.read_text()).metadata, default=str))
    assert list(VALIDATOR.iter_errors(keys)) == []
    for key, wrong in {"id": "a b", "version": "new", "tags": "a", "source_repository": "x"}.items():
        assert not VALIDATOR.is_valid({**keys, key: wrong})
    del keys["id"]
    assert not VALIDATOR.is_valid(keys)


def test_a_worker_spec_and_its_constraints_match():
    text = Path(ROOT / "tests/contract/documents/good/site-shape.worker.md").read_text()
    spec = yaml.safe_load(text.split("```yaml\n")[1].split("```")[0])
    assert list(VALIDATOR.iter_errors(spec)) == []
    assert not VALIDATOR.is_valid({**spec, "retries": {"max_attempts": 0}})
    assert not VALIDATOR.is_valid({**spec, "inputs": [{"a": "string", "b": "string"}]})
    bounds = json.loads(text.split("## Constraints\n\n```json\n")[1].split("```")[0])
    assert list(CONSTRAINTS.iter_errors(bounds)) == []
    assert list(CONSTRAINTS.iter_errors({**bounds, "x-ours": 1})) == []
    for key, wrong in {
        "timeout_seconds": "60",
        "tools_allowed": ["a b"],
        "retries": {"backoff": "no"},
    }.items():
        assert not CONSTRAINTS.is_valid({**bounds, key: wrong})


def test_the_command_prints_it(cli):
    done = cli("schema", "contract")
    assert (done.code, done.document) == (0, SCHEMA)
    Draft202012Validator.check_schema(done.document)
    needless = re.compile(r"\\(?:\\\\)*[^\\sSwWdDbBnrtfv0pPuxkc()\[\]{}.*+?^$|/-]")
    patterns = re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', json.dumps(done.document))
    assert patterns
    for pattern in patterns:
        assert not needless.search(json.loads(f'"{pattern}"')), (
            "strict readers of ECMA patterns refuse a needless escape"
        )
    assert all(
        "description" in each
        for group in (SCHEMA, SCHEMA["$defs"]["constraints"])
        for name, each in group["properties"].items()
        if name not in ("retries", "observability")
    )
