"""Sensitive places of an input reach the task and are kept nowhere (S6.6)."""

import json

import pytest

from tests.conftest import FOUR
from workermd.ledger.sqlite.store import Ledger
from workermd.runner.request import holds_its_input
from workermd.task import sensitive

NAME, ACCOUNT = "Zappelphilipp Müller", 47110815
HEARD = "evidence(str(task['input']['customer']['account']))\n"
SAYS = HEARD + (
    "name = task['input']['customer']['name']\n"
    "print('log says', name, json.dumps(name), file=sys.stderr, flush=True)\n"
    "open(os.path.join(task['artifacts_dir'], 'kept.txt'), 'w').write('an artifact')\n"
)
REPLIES = SAYS + "reply({'status': 'ok', 'result': {'hello': 'dear ' + name}})"
FAILS = SAYS + "reply({'error': {'code': 'x', 'message': name + ' is not known'}}); sys.exit(3)"

INPUT = {
    "type": "object",
    "required": ["run_id", "customer"],
    "properties": {"run_id": {"type": "string"}, "customer": {"type": "object"}},
}

pytestmark = pytest.mark.rule("S6.6")


@pytest.fixture
def bound(contract, program, tmp_path):
    """Binds the worker to a program; what it is told of the customer is sensitive."""

    def bind(body, pointers=("/customer/*",)):
        command = program(body)[3:]
        (tmp_path / "workermd.toml").write_text(
            f"[workers.echo]\ncommand = {json.dumps(command)}\nsensitive = {json.dumps(pointers)}\n"
        )
        return contract(statuses=FOUR, input_schema=INPUT)

    return bind


@pytest.fixture
def customer(given):
    return lambda run_id="r1", name=NAME: given(run_id, customer={"name": name, "account": ACCOUNT})


def held(cli, *words):
    """The files beside the ledger that have one of the words."""
    coded = [form for word in words for form in (word.encode(), json.dumps(word)[1:-1].encode())]
    return [
        file.name
        for file in cli.ledger.parent.rglob("*")
        if file.is_file() and file.suffix != ".json" and file.name != "evidence"
        and any(form in file.read_bytes() for form in coded)
    ]  # fmt: skip


@pytest.mark.parametrize(("body", "code"), [(REPLIES, 0), (FAILS, 4)])
def test_no_file_of_the_ledger_has_what_is_sensitive(cli, bound, customer, evidence, body, code):
    spec = bound(body)
    done = cli("run", spec, customer(), "--envelope")
    assert done.code == code, done.err
    assert evidence() == [str(ACCOUNT)], "the task itself is told"
    assert NAME not in done.out.decode()
    assert NAME not in done.err
    assert held(cli, NAME, str(ACCOUNT)) == []
    shown = cli("runs", "show", "r1", "--format", "json").document
    assert shown["input"]["customer"] == {"name": "***", "account": "***"}
    assert held(cli, "an artifact") != [], "the search finds what is kept"


def test_equal_inputs_are_one_run_and_others_a_conflict(cli, bound, customer, evidence):
    spec = bound(REPLIES)
    first, second = cli("run", spec, customer()), cli("run", spec, customer())
    assert (first.code, second.out) == (0, first.out)
    other = cli("run", spec, customer(name="Somebody else"), "--envelope")
    assert (other.code, other.document["error"]["code"]) == (3, "idempotency_conflict")
    assert len(evidence()) == 1
    assert cli("runs", "verify").code == 0
    with Ledger.open_read_only(str(cli.ledger)) as ledger:
        run = ledger.look("echo", "r1")
    assert not holds_its_input(run), "so that nobody goes on with half an input"


def test_a_key_that_is_sensitive_is_refused(cli, bound, customer, evidence):
    spec = bound(REPLIES, ("/run_id",))
    done = cli("run", spec, customer())
    assert done.code == 2
    assert "a key is kept as it is" in done.err
    assert evidence() == []


def test_what_is_no_pointer_is_refused(cli, bound, customer):
    done = cli("run", bound(REPLIES, ("customer",)), customer())
    assert done.code == 2
    assert "is no JSON Pointer" in done.err


def test_places_are_named_by_pointers():
    value = {"customer": {"name": NAME, "accounts": [ACCOUNT, {"iban": "DE00 1111"}]}, "task": "x"}
    pointers = ("/customer/name", "/customer/accounts/*", "/nothing/here")
    assert sensitive.hidden(value, pointers) == {"customer": {"name": "***", "accounts": ["***", "***"]}, "task": "x"}
    assert value["customer"]["name"] == NAME, "the input itself is not changed"
    assert sensitive.texts(value, pointers) == (NAME, str(ACCOUNT), "DE00 1111")
    assert sensitive.hidden({"a/b": {"~": 1}}, ("/a~1b/~0",)) == {"a/b": {"~": "***"}}
    assert sensitive.hidden({"list": [1, 2]}, ("/list/1",)) == {"list": [1, "***"]}
