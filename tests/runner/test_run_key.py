"""The key of a run that comes from outside its input (S4.1)."""

import pytest

from workermd.contract.json.quick import load_exact
from workermd.contract.reader import read
from workermd.protocol.errors import RunKeyMissing, UsageError
from workermd.runner import run_key
from workermd.runner.run_key import KeySource

OPEN = {"type": "object", "properties": {"text": {"type": "string"}}}
OK = "reply({'status': 'ok', 'result': {'run_id': task['run_id'], 'input': task['input']}})"


@pytest.fixture(scope="module")
def contracts():
    from tests.conftest import contract_text

    texts = {
        "outside": contract_text(input_schema=OPEN, constraints={"idempotency_key": None}),
        "inside": contract_text(),
    }
    return {name: read(text.encode(), "a.worker.md").contract for name, text in texts.items()}


def keyed(contract, document, **source):
    loaded = load_exact(document.encode())
    return run_key.keyed(loaded.value, loaded.exact, contract, KeySource(**source))


@pytest.mark.rule("S4.1")
def test_where_the_key_is_looked_for(contracts):
    assert contracts["inside"].key_in_input
    assert not contracts["outside"].key_in_input
    run_key.refuse_without(contracts["inside"], KeySource())
    with pytest.raises(RunKeyMissing) as missing:
        run_key.refuse_without(contracts["outside"], KeySource())
    for way in ("--run-id ID", "--new-run-id", "--run-id-from input", "--run-id-from /POINTER", "--request"):
        assert way in missing.value.hint


@pytest.mark.rule("S4.1")
@pytest.mark.parametrize(
    ("document", "source", "expected"),
    [
        ('{"text": "a"}', {"given": "r1"}, "r1"),
        ('{"text": "a"}', {"derived": "/text"}, "a"),
        ('{"a": {"b/c": [{"~": 7}]}}', {"derived": "/a/b~1c/0/~0"}, "7"),
        ('{"text": "a"}', {"derived": "/none"}, None),
        ('{"text": "a"}', {"derived": "/text/0"}, None),
        ('{"text": true}', {"derived": "/text"}, None),
        ('{"text": ["a"]}', {"derived": "/text/1"}, None),
    ],
)
def test_a_key_from_outside_leaves_the_input_as_it_is(contracts, document, source, expected):
    found = keyed(contracts["outside"], document, **source)
    assert (found.run_id, found.is_usable) == (expected, expected is not None)
    assert found.value == load_exact(document.encode()).value


@pytest.mark.rule("S4.1", "S2.3")
def test_the_same_question_is_the_same_run_and_another_is_not(contracts):
    def by_input(document):
        return keyed(contracts["outside"], document, derived="input").run_id

    assert by_input('{"a": 1, "b": 2}') == by_input('{"b": 2.0, "a": 1}')
    assert len(by_input("{}")) == 64
    assert by_input('{"a": 100000000000000000.01}') != by_input('{"a": 100000000000000000.99}')


def test_the_input_s_own_key_stays_the_key_of_a_contract_that_has_one(contracts):
    inside = contracts["inside"]
    assert keyed(inside, '{"run_id": "own"}').run_id == "own"
    assert keyed(inside, '{"task": "t"}', given="r1").value == {"run_id": "r1", "task": "t"}
    assert keyed(inside, '{"task": "t"}', derived="/task").value == {"run_id": "t", "task": "t"}
    assert keyed(inside, '{"run_id": "own"}', derived="input", option="--run-id-from").run_id == "own"
    assert keyed(inside, '{"task": "t"}').run_id is None
    with pytest.raises(UsageError, match="not that of --new-run-id"):
        keyed(inside, '{"run_id": "own"}', given="r1", option="--new-run-id")


@pytest.mark.rule("S4.1")
@pytest.mark.parametrize(
    ("key", "usable"), [("", False), ("a\nb", False), ("x" * 513, False), ("x" * 512, True), ("ü b", True)]
)
def test_a_key_that_names_nothing_is_refused(contracts, key, usable):
    assert keyed(contracts["inside"], f'{{"run_id": "{key}"}}'.replace("\n", "\\n")).is_usable == usable


@pytest.mark.parametrize(
    ("given", "new", "origin"),
    [("a", True, None), ("a", False, "input"), (None, True, "/a"), (None, False, "")],
)
def test_options_that_contradict_each_other_are_a_matter_of_usage(given, new, origin):
    with pytest.raises(UsageError):
        run_key.chosen(given, origin, new=new)


@pytest.mark.rule("S4.1", "S2.2")
def test_a_run_whose_key_comes_from_outside(cli, contract, given, program):
    spec = contract(input_schema=OPEN, constraints={"idempotency_key": None})
    document, backend = given(run_id=None, text="hello"), program(OK)
    missing = cli("run", spec, document, *backend)
    assert (missing.code, missing.document["error"]["code"]) == (2, "run_key_missing")
    first = cli("run", spec, document, "--run-id-from", "input", *backend)
    assert (first.code, first.document["result"]["input"]) == (0, {"text": "hello"})
    assert first.document["run_id"] == first.document["result"]["run_id"]
    again = cli("run", spec, document, "--run-id-from", "input", *backend)
    assert (again.out, "replayed" in again.err) == (first.out, True)
    other = cli("run", spec, given(run_id=None, text="other"), "--run-id", first.document["run_id"], *backend)
    assert (other.code, other.document["result"]["error"]["code"]) == (3, "idempotency_conflict")


@pytest.mark.rule("S2.3")
def test_two_decimals_that_meet_in_a_float_are_two_inputs(cli, contract, program):
    spec, backend = (
        contract(input_schema={"type": "object", "required": ["run_id"], "properties": {"run_id": {"type": "string"}}}),
        program("reply({'result': {}})"),
    )
    assert cli("run", spec, "-", *backend, given='{"run_id": "d", "value": 100000000000000000.01}').code == 0
    done = cli("run", spec, "-", *backend, given='{"run_id": "d", "value": 100000000000000000.99}')
    assert (done.code, done.document["result"]["error"]["code"]) == (3, "idempotency_conflict")


@pytest.mark.rule("S2.2")
def test_an_input_that_is_no_json_is_told_with_its_place(cli, contract, program):
    done = cli("run", contract(), "-", *program(OK), given='{"run_id": "r1",\n "é": 1,}')
    assert (done.code, "at 2:8, " in done.document["result"]["error"]["message"]) == (3, True)
