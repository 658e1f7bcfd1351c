"""People in the loop, from end to end: a run asks, somebody decides, the run goes on (S9)."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import time
from contextlib import closing

import jsonschema
import pytest

from tests.conftest import FOUR, ROOT, contract_text, patience, wait_for
from tests.report.test_live import Terminal
from tests.test_readme import blocks_of, laid_out, printed_as_shown
from workermd.contract import cache
from workermd.protocol.envelope_schema import envelope_schema
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.runner import decisions
from workermd.runner.dry_run import plan
from workermd.runner.invocation import invoke_alone
from workermd.runner.request import Request
from workermd.runner.worker import Worker
from workermd.task.binding import Binding
from workermd.task.question import details

ALL = [*FOUR, "needs_human"]

TOOL = """
import json, os
from workermd import NeedsHuman
def run(task):
    with open('starts', 'a') as file: file.write(f'{task.attempt}\\n')
    if not task.decisions:
        raise NeedsHuman('May I?', kind='tool', proposed={'tool': 'rm', 'arguments': {'path': 'a'}})
    return {'result': {'decisions': list(task.decisions)}}
"""

ASKS = """
if not task['decisions']:
    reply({'error': {'message': 'Which?', 'options': ['a', 'b'], 'kind': 'question'}}); sys.exit(77)
reply({'result': {'answers': [d['answer'] for d in task['decisions']]}})
"""


@pytest.fixture
def tool(tmp_path, contract, given):
    """A call of `run` whose function asks whether it may call a tool, once."""
    (tmp_path / "tasks.py").write_text(TOOL)
    return ["run", contract(statuses=ALL, constraints={"max_attempts": 1}), given(), "--function", "tasks:run"]


@pytest.fixture
def question(contract, given, program):
    """A call of `run` whose program asks which of two, once."""
    return ["run", contract(statuses=ALL), given(), *program(ASKS)]


def flagged(call, *flags):
    """A call of `run` with further options, which stand before a program's own words."""
    return [call[0], *flags, *call[1:]]


def starts(cli):
    path = cli.folder / "starts"
    return path.read_text().split() if path.exists() else []


def pending(cli, *arguments):
    return cli("runs", "pending", "--format", "json", *arguments).document["pending"]


def requests(cli, run_id="r1", *arguments):
    return cli("runs", "show", run_id, "--format", "json", *arguments).document["requests"]


# --- the loop -------------------------------------------------------------------------------------------


@pytest.mark.rule("S9.1", "S9.2", "S9.4")
def test_a_tool_call_is_asked_approved_and_goes_on(cli, tool):
    """One start more than the contract's, and the decision in the task."""
    first = cli(*flagged(tool, "--envelope"))
    assert (first.code, first.document["status"], first.document["error"]["code"]) == (
        6, "needs_human", "approval_required",
    )  # fmt: skip
    jsonschema.Draft202012Validator(envelope_schema()).validate(first.document)
    request = first.document["request"]
    assert request == {
        "id": request["id"],
        "kind": "tool",
        "question": "May I?",
        "options": [],
        "proposed": {"tool": "rm", "arguments": {"path": "a"}},
    }
    assert "workermd approve r1" in first.document["error"]["hint"]
    (waiting,) = pending(cli)
    assert waiting | request == waiting
    assert (waiting["worker_id"], waiting["run_id"], waiting["age_seconds"] < 60) == ("echo", "r1", True)

    replays = [cli(*tool) for _ in range(2)]
    assert len({done.out for done in replays}) == 1
    assert starts(cli) == ["1"]

    decided = cli("approve", "r1", "--by", "ann", "--reason", "go")
    assert (decided.code, decided.err) == (0, "")
    assert decided.out.decode() == (
        f"echo r1: approve, decided by ann (request {request['id']})\n"
        "next, with the same contract and the same input: workermd run SPEC INPUT\n"
    )
    assert pending(cli) == []
    done = cli(*tool)
    assert done.code == 0, done.err
    (told,) = done.document["result"]["decisions"]
    assert told == request | {"answer": "approve", "by": "ann", "at": told["at"], "reason": "go"}
    assert starts(cli) == ["1", "2"]
    assert cli(*tool).out == done.out


@pytest.mark.rule("S9.2")
def test_one_decision_is_one_start(cli, contract, given, program):
    """A task that asks again and again gets one start for each answer, and all answers so far."""
    body = "evidence('start'); reply({'error': {'message': ' '.join(d['answer'] for d in task['decisions']) or '-'}}); sys.exit(77)"
    call = ["run", contract(statuses=ALL, constraints={"max_attempts": 1}), given(), *program(body)]
    said = []
    for answer in ("a", "b", "c"):
        said.append(cli(*call).document["result"]["error"]["message"])
        assert cli("approve", "r1", "--answer", answer, "--by", "ann").code == 0
    said.append(cli(*call).document["result"]["error"]["message"])
    assert said == ["-", "a", "a b", "a b c"]
    assert cli(*call).code == 6
    assert (cli.folder / "evidence").read_text().split() == ["start"] * 4
    shown = cli("runs", "show", "r1", "--format", "json").document
    assert (shown["attempts"], shown["max_attempts"]) == (4, 4)
    assert [each["decision"] and each["decision"]["answer"] for each in shown["requests"]] == ["a", "b", "c", None]
    assert [each["attempt"] for each in shown["requests"]] == [1, 2, 3, 4]
    assert len({each["id"] for each in shown["requests"]}) == 4


@pytest.mark.rule("S3.2", "S9.2")
def test_starts_that_were_left_stay_beside_the_one_granted(cli, contract, given, program):
    """The granted attempt may fail for a while, as any other."""
    body = "if not task['decisions']: sys.exit(77)\nif task['attempt'] < 3: sys.exit(75)\nreply({'result': {}})"
    call = ["run", contract(statuses=ALL), given(), *program(body)]
    assert cli(*call).code == 6
    cli("approve", "r1", "--by", "ann")
    done = cli(*flagged(call, "--envelope"))
    assert [each["outcome"] for each in done.document["attempts"]] == ["needs_human", "retryable_error", "ok"]


@pytest.mark.rule("S9.3")
def test_a_denial_is_told_and_goes_on(cli, tool):
    cli(*tool)
    assert cli("approve", "r1", "--deny", "--reason", "too dear", "--by", "ann").code == 0
    done = cli(*tool)
    (told,) = done.document["result"]["decisions"]
    assert (done.code, told["answer"], told["reason"]) == (0, "deny", "too dear")


@pytest.mark.rule("S2.3", "S9.3")
def test_a_denial_for_good_settles_the_run(cli, tool):
    """Another answer than the one that asked, the same from then on; nothing is started."""
    before = cli(*flagged(tool, "--envelope"))
    decided = cli("approve", "r1", "--deny", "--final", "--reason", "no", "--by", "ann")
    assert decided.out.decode().splitlines()[1] == "the run is settled as invalid_output [approval_denied]"
    after = [cli(*tool), cli(*tool)]
    assert after[0].out == after[1].out
    assert (after[0].code, after[0].document) == (
        4,
        {
            "run_id": "r1",
            "status": "invalid_output",
            "result": {
                "error": {
                    "code": "approval_denied",
                    "message": "A person decided against it, for good.",
                    "retryable": False,
                }
            },
        },
    )
    record = cli(*flagged(tool, "--envelope")).document
    jsonschema.Draft202012Validator(envelope_schema()).validate(record)
    assert (record["output_valid"], record["exit_code"], "request" in record) == (True, 4, False)
    assert record["attempts"] == before.document["attempts"]
    assert "workermd runs show r1" in record["error"]["hint"]
    assert starts(cli) == ["1"]
    (request,) = requests(cli)
    assert (request["open"], request["decision"]["final"]) == (False, True)
    assert cli("runs", "list", "--format", "json").document["runs"][0]["status"] == "invalid_output"
    assert cli("runs", "reopen", "r1", "--by", "bob").code == 0
    (told,) = cli(*tool).document["result"]["decisions"]
    assert told["answer"] == "deny", "a reopened run is told what was decided"
    assert starts(cli) == ["1", "2"]


@pytest.mark.rule("S5.3", "S9.1")
def test_a_contract_without_a_status_in_its_output_asks_too(cli, tmp_path, given):
    """The envelope is what is printed, and so it is after a denial for good."""
    (tmp_path / "tasks.py").write_text(TOOL)
    output = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"result": {"type": "object", "maxProperties": 9}},
    }
    spec = tmp_path / "site.worker.md"
    spec.write_text(contract_text(output_schema=output, statuses=ALL))
    call = ["run", spec, given(), "--function", "tasks:run"]
    first = cli(*call)
    assert (first.code, first.document["request"]["kind"]) == (6, "tool"), first.err
    cli("approve", "r1", "--deny", "--final", "--by", "ann")
    assert [cli(*call).document["error"]["code"] for _ in range(2)] == ["approval_denied"] * 2
    other = ["run", spec, given("r2"), "--function", "tasks:run"]
    cli(*other)
    cli("approve", "r2", "--by", "ann")
    assert cli(*other).code == 0


@pytest.mark.rule("S8.4", "S9.1", "S9.4")
def test_a_program_asks_and_is_told(cli, question):
    first = cli(*flagged(question, "--envelope")).document
    assert first["request"]["options"] == ["a", "b"]
    assert "--answer TEXT (a, b), or --deny" in first["error"]["hint"]
    assert cli("approve", "r1", "--answer", "b", "--by", "ann").code == 0
    assert cli(*question).document["result"] == {"answers": ["b"]}


@pytest.mark.rule("S9.1")
def test_a_document_that_says_needs_human_asks_whether_to_go_on(cli, contract, given, program):
    body = "reply({'status': 'ok' if task['decisions'] else 'needs_human', 'result': {'why': 'look at it'}})"
    call = ["run", contract(statuses=ALL), given(), *program(body)]
    first = cli(*flagged(call, "--envelope")).document
    assert (first["outputs"]["result"], first["request"]["options"]) == ({"why": "look at it"}, ["approve", "deny"])
    assert "workermd approve r1, or --deny;" in first["error"]["hint"]
    assert cli("approve", "r1", "--by", "ann").code == 0
    assert cli(*call).code == 0


@pytest.mark.rule("S1.4", "S4.7", "S9.1")
@pytest.mark.parametrize("body", ["sys.exit(3)", "os.kill(os.getpid(), 9)"])
def test_what_only_needs_mending_asks_nobody(cli, contract, given, program, body):
    call = ["run", contract(statuses=ALL, constraints={"max_attempts": 1}), given(), *program(body)]
    done = cli(*flagged(call, "--envelope"))
    assert (done.code, "request" in done.document, pending(cli)) == (6, False, [])
    refused = cli("approve", "r1", "--by", "ann")
    assert (refused.code, "asks nobody: it is settled as needs_human" in refused.err) == (2, True)


@pytest.mark.rule("S1.6")
def test_a_success_that_is_called_needs_human_asks_nobody(cli, contract, given, program):
    """The contract says that it is one."""
    spec = contract(statuses=ALL, constraints={"success_statuses": "[ok, needs_human]"})
    done = cli("run", spec, given(), "--envelope", *program("reply({'status': 'needs_human', 'result': {}})"))
    assert (done.code, "request" in done.document, pending(cli)) == (0, False, [])


@pytest.mark.rule("S1.4", "S9.6")
def test_without_the_status_nobody_can_be_asked(cli, contract, given, program):
    """What only the task knew."""
    done = cli("run", contract(), given(), "--envelope", *program(ASKS))
    assert (done.code, done.document["error"]["code"]) == (4, "approval_required")
    assert "the contract's statuses lack needs_human" in done.document["error"]["hint"]
    assert pending(cli) == []


@pytest.mark.rule("S4.5", "S9.4")
def test_a_contract_that_changed_meanwhile_does_not_go_on(cli, tool, contract):
    """What was approved is not what would run."""
    cli(*tool)
    cli("approve", "r1", "--by", "ann")
    changed = contract(statuses=ALL, constraints={"max_attempts": 1}, purpose="Another.")
    done = cli("run", changed, *tool[2:])
    assert (done.code, done.document["result"]["error"]["code"]) == (3, "contract_changed")


# --- what is written ------------------------------------------------------------------------------------


@pytest.mark.rule("S6.3", "S9.1")
def test_no_secret_is_in_a_request(cli, contract, given, program):
    """In none of its texts, nowhere beside the ledger."""
    body = """
key = os.environ['API_KEY']
reply({'error': {'message': f'Use {key}?', 'options': [key, 'no'], 'kind': 'tool',
                 'proposed': {'tool': key, 'arguments': {key: [f'x{key}y', {'z': key}]}}}})
sys.exit(77)
"""
    call = ["run", contract(statuses=ALL), given(), "--secret-env", "API_KEY", "--envelope", *program(body)]
    done = cli(*call, env={"API_KEY": "hunter2-ä\"'"})
    assert done.document["request"] | {"id": ""} == {
        "id": "",
        "kind": "tool",
        "question": "Use ***?",
        "options": ["***", "no"],
        "proposed": {"tool": "***", "arguments": {"***": ["x***y", {"z": "***"}]}},
    }
    for path in cli.ledger.parent.rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes(), path
    assert "hunter2" not in cli("runs", "pending").out.decode() + done.err


@pytest.mark.rule("S9.1")
@pytest.mark.parametrize("kind", ["function", "command"])
@pytest.mark.parametrize(
    ("proposed", "said"),
    [
        ("{'plan': 'x' * 70000}", "is larger than 65536 bytes of JSON"),
        ("{'plan': 'ä' * 40000}", "is larger than 65536 bytes of JSON"),
        ("{'plan': float('nan')}", "is no JSON"),
        ("{'plan': '\\ud800'}", "is no JSON"),
        ("[1]", "is no JSON object"),
        ("json.loads('{\"plan\": ' + '[' * 150 + ']' * 150 + '}')", "is nested deeper than 100 levels"),
    ],
)
def test_nobody_is_asked_about_what_cannot_be_shown(cli, contract, given, program, tmp_path, kind, proposed, said):
    """A failure for good, with what is wrong; never cut, never a fault of ours."""
    spec = contract(statuses=ALL)
    if kind == "function":
        (tmp_path / "tasks.py").write_text(
            "import json\nfrom workermd import NeedsHuman\n"
            f"def run(task): raise NeedsHuman('May I?', kind='plan', proposed={proposed})\n"
        )
        done = cli("run", spec, given(), "--function", "tasks:run")
    else:
        done = cli(
            "run",
            spec,
            given(),
            *program(
                f"reply({{'error': {{'message': 'May I?', 'kind': 'plan', 'proposed': {proposed}}}}}); sys.exit(77)"
            ),
        )
    error = done.document["result"]["error"]
    assert (done.code, error["code"]) == (6, "backend_failed"), done.err
    assert said in error["message"]
    assert pending(cli) == []


@pytest.mark.rule("S9.1")
def test_what_is_asked_is_made_to_fit():
    """A question is cut, options are; a kind without its proposal is a question."""
    said = details("q\x1b[2J\ud800" * 5000, ["x" * 300, "", 7, "x" * 300, *map(str, range(50))])
    assert (len(said["question"]), len(said["options"]), len(said["options"][0])) == (2000, 20, 200)
    assert said["options"][1] == "0"
    assert "\x1b" not in said["question"]
    assert "\ud800" not in said["question"]
    said["question"].encode()
    assert details("", None)["question"] == "The task asks for a person."
    kinds = [
        ("tool", {"tool": "a", "arguments": {}}, "tool"),
        ("tool", {"tool": "a"}, "question"),
        ("tool", None, "question"),
        ("plan", {"plan": "a"}, "plan"),
        ("plan", {"tool": "a"}, "question"),
        ("stalled", None, "stalled"),
        ("wish", None, "question"),
        (["tool"], None, "question"),
    ]
    for kind, proposed, expected in kinds:
        assert details("q", (), kind, proposed)["request_kind"] == expected
    assert details("q", proposed={"a": (1, {2: "b"})})["proposed"] == {"a": [1, {"2": "b"}]}


@pytest.mark.rule("S9.1")
def test_a_result_file_that_asks_nonsense_is_put_in_order(cli, contract, given, tmp_path):
    """What an attempt's process left is a task's word, not ours."""
    (tmp_path / "tasks.py").write_text(
        "from workermd import NeedsHuman\n"
        "class Odd(NeedsHuman):\n"
        "    def __init__(self): self.options, self.kind, self.proposed = 7, 7, None\n"
        "def run(task): raise Odd\n"
    )
    done = cli("run", contract(statuses=ALL), given(), "--function", "tasks:run", "--envelope")
    assert (done.code, done.document["request"]["kind"]) == (6, "question"), done.err
    assert done.document["request"]["question"] == "the task raised Odd"


@pytest.mark.rule("S6.5")
def test_what_is_shown_has_no_control_characters(cli, contract, given, program):
    body = "reply({'error': {'message': 'a\\x1b[31m\\nb', 'kind': 'plan', 'proposed': {'plan': 'c\\x1b[31m\\nd\\x07'}}}); sys.exit(77)"
    done = cli("run", contract(statuses=ALL), given(), *program(body))
    shown = cli("runs", "pending").out.decode() + cli("runs", "show", "r1").out.decode() + done.err
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "    c\ufffd[31m\n    d\ufffd\n" in shown


# --- deciding -------------------------------------------------------------------------------------------


def test_an_empty_list_of_what_waits(cli, contract, given, program):
    empty = cli("runs", "pending")
    assert (empty.code, empty.out.decode()) == (0, f"nothing waits for a person in {cli.ledger}\n")
    assert not cli.ledger.exists()
    assert cli("runs", "pending", "--format", "json").document == {
        "schema_version": 1,
        "ledger": str(cli.ledger),
        "pending": [],
    }


def test_what_waits_is_listed_the_oldest_first(cli, contract, given, program):
    one, two = contract("1.worker.md", id="one", statuses=ALL), contract("2.worker.md", id="two", statuses=ALL)
    for spec, run_id in ((one, "a"), (two, "a"), (one, "b c")):
        cli("run", spec, given(run_id), *program(ASKS))
    assert [(each["worker_id"], each["run_id"]) for each in pending(cli)] == [
        ("one", "a"),
        ("two", "a"),
        ("one", "b c"),
    ]
    assert [each["run_id"] for each in pending(cli, "--worker", "two")] == ["a"]
    text = cli("runs", "pending").out.decode()
    first, second, third = text.split("\n\n")
    assert re.match(r"one a  question  \d+ s old  request ", first.splitlines()[0])
    assert first.splitlines()[1:] == [
        "  Which?",
        "  options: a, b",
        "  decide:  workermd approve a --worker one --answer a",
    ]
    assert "workermd approve a --worker two --answer a" in second
    assert "workermd approve 'b c' --worker one --answer a" in third
    several = cli("approve", "a", "--answer", "a", "--by", "ann")
    assert (several.code, "several workers have a run 'a': two, one" in several.err) == (2, True)
    assert cli("approve", "a", "--answer", "a", "--by", "ann", "--worker", "two").code == 0
    assert cli("approve", "a", "--answer", "a", "--by", "ann").code == 0, "only one of them asks now"


REFUSED = {
    ("nope",): "no run 'nope' in this ledger; see what is there: workermd runs list",
    ("done",): "run 'done' asks nobody: it is settled as ok; see what waits for a person: workermd runs pending",
    ("r1",): "'approve' is none of the request's options: a, b; give one of them with --answer, or --deny",
    ("r1", "--answer", "c"): "'c' is none of the request's options: a, b; give one of them with --answer, or --deny",
    ("r1", "--answer", " "): "the answer is empty; say what is decided",
    ("r1", "--answer", "a", "--deny"): "--deny and --answer exclude each other; leave one of the two out; --reason TEXT says why",
    ("r1", "--answer", "a", "--final"): "--final goes with --deny only; add --deny, or leave it out",
    ("r1", "--answer", "a", "--request", "0123"): "run 'r1' has no request '0123'; see what waits for a person: workermd runs pending",
    ("r1", "--answer", "a", "--reason", "x" * 2001): "--reason has 2001 characters; allowed are 2000",
}  # fmt: skip


@pytest.mark.rule("S9.2")
def test_decisions_that_make_no_sense_are_refused(cli, question, contract, given, program):
    """One line each, and nothing has changed."""
    nowhere = cli("approve", "r1", "--by", "ann")
    assert (nowhere.code, "there is no ledger yet" in nowhere.err, cli.ledger.exists()) == (2, True, False)
    cli(*question)
    cli(
        "run", contract("ok.worker.md", id="ok"), given("done", "done.json"), *program("reply({'result': {}})", "ok.py")
    )
    for arguments, said in REFUSED.items():
        done = cli("approve", *arguments, "--by", "ann")
        assert (done.code, done.out, done.err) == (2, b"", f"workermd: {said}\n"), arguments
    (request,) = requests(cli)
    assert (request["open"], request["decision"]) == (True, None)


@pytest.mark.rule("S9.2")
@pytest.mark.parametrize(
    ("options", "answer", "taken"),
    [
        (("yes", "no"), "yes", True),
        (("yes", "no"), " yes\n", True),
        (("yes", "no"), "Yes", False),
        (("yes", "no"), decisions.DENY, True),
        ((), "x" * decisions.MAX_WORDS, True),
        ((), "x" * (decisions.MAX_WORDS + 1), False),
        ((), " \n", False),
    ],
    ids=["an option", "blanks around it", "another", "a denial", "as long as allowed", "longer", "empty"],
)
def test_which_answers_a_question_takes(options, answer, taken):
    if taken:
        assert decisions.checked_answer(options, answer) == answer.strip()
        return
    with pytest.raises(UsageError):
        decisions.checked_answer(options, answer)


@pytest.mark.rule("S9.2")
def test_deciding_twice_says_who_was_first(cli, question):
    cli(*question)
    (request,) = pending(cli)
    done = cli("approve", "r1", "--answer", "a", "--request", request["id"], env={"USER": "ben"})
    assert done.code == 0, done.err
    for flags in (["--answer", "b"], ["--deny", "--final"], ["--answer", "b", "--request", request["id"]]):
        again = cli("approve", "r1", *flags, "--by", "ann")
        assert again.code == 2
        assert f"request {request['id']} of run 'r1' was decided by ben at 20" in again.err
        assert again.err.endswith(": a; give the same run command again\n")
    cli(*question)
    late = cli("approve", "r1", "--answer", "b", "--by", "ann")
    assert (late.code, late.err.endswith(": a; see what happened: workermd runs show\n")) == (2, True)


@pytest.mark.rule("S9.2")
def test_people_who_decide_at_the_same_time(cli, question):
    """One of them does."""
    cli(*question)
    crowd = [cli.start("approve", "r1", "--answer", "ab"[n % 2], "--by", f"p{n}") for n in range(6)]
    ended = [process.communicate(timeout=patience(60)) for process in crowd]
    codes = [process.returncode for process in crowd]
    assert sorted(codes) == [0, 2, 2, 2, 2, 2], ended
    winner = codes.index(0)
    assert all(f"decided by p{winner}" in ended[n][1].decode() for n in range(6) if n != winner)
    assert cli(*question).document["result"] == {"answers": ["ab"[winner % 2]]}
    shown = cli("runs", "show", "r1", "--format", "json").document
    assert (shown["attempts"], shown["max_attempts"], len(shown["reopenings"])) == (2, 3, 1)


@pytest.mark.rule("S9.1")
def test_a_request_that_the_run_left_behind_is_closed(cli, question):
    """Reopened by name, it asks anew; the first request is not the one that is decided."""
    cli(*question)
    (first,) = pending(cli)
    cli("runs", "reopen", "r1", "--by", "bob")
    gone = cli("approve", "r1", "--answer", "a", "--by", "ann")
    assert (gone.code, "went on without an answer to request" in gone.err) == (2, True)
    cli(*question)
    (second,) = pending(cli)
    assert second["id"] != first["id"]
    old = cli("approve", "r1", "--answer", "a", "--by", "ann", "--request", first["id"])
    assert (old.code, "went on without an answer" in old.err) == (2, True)
    assert cli("approve", "r1", "--answer", "a", "--by", "ann", "--request", second["id"]).code == 0


def test_a_decision_as_json_and_in_the_timeline(cli, question):
    cli(*question)
    document = cli("approve", "r1", "--answer", "b", "--by", "ann", "--reason", "blue", "--format", "json").document
    assert (document["worker_id"], document["run_id"], document["status"], document["attempts_left"]) == (
        "echo", "r1", None, 2,
    )  # fmt: skip
    decision = document["request"]["decision"]
    assert decision | {"at": ""} == {"answer": "b", "by": "ann", "reason": "blue", "final": False, "at": ""}
    cli(*question)
    text = cli("runs", "show", "r1").out.decode()
    events = [line.split("  ", 1)[1] for line in text.split("\n\n")[1].splitlines()]
    assert events[3] == f"asked (question, request {document['request']['id']}): Which?"
    assert events[4] == "decided by ann: b (blue); 1 further start"
    assert events[5] == "attempt 2 started"
    assert "reopened" not in text
    assert requests(cli) == [document["request"]]


def test_ages():
    from workermd.report.people import age

    cases = {-5: "0 s", 0: "0 s", 59: "59 s", 60: "1 min", 3599: "59 min", 3600: "1 h", 90_000: "1 d", 10**7: "115 d"}
    assert {seconds: age(seconds * 1_000_000) for seconds in cases} == cases


@pytest.mark.rule("S4.6")
def test_pruning_takes_requests_too(cli, question):
    cli(*question)
    assert cli("runs", "prune", "--all").out == b"1 finished run removed\n"
    assert pending(cli) == []
    with closing(sqlite3.connect(cli.ledger)) as connection:
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (0,)


@pytest.mark.rule("S9.4")
def test_the_gate_lets_through_what_a_person_approved(cli):
    """Nothing that blocks by itself."""
    merged = cli.folder / "merged.json"
    aggregate = ROOT / "contracts" / "aggregate.worker.md"
    merged.write_bytes(cli("run", aggregate, ROOT / "contracts/examples/aggregate.input.json").out)
    gate = ["run", ROOT / "contracts" / "output-gate.worker.md", merged]
    assert cli(*gate).code == 6
    assert cli("approve", "company-4711", "--by", "ann").code == 0, "both workers have the id; the gate asks"
    done = cli(*gate)
    assert (done.code, done.document["result"]["decision"]) == (0, "allow")
    assert done.document["result"]["document"] == json.loads(merged.read_bytes())["result"]


# --- the refusal before the run -------------------------------------------------------------------------


class AskingBinding(Binding):
    """A binding that is set up to ask people, as its kind would say."""

    asks_people = property(lambda _: True)  # type: ignore[assignment]


@pytest.mark.rule("S9.6")
@pytest.mark.parametrize("statuses", [FOUR, ALL])
@pytest.mark.parametrize("deed", [invoke_alone, plan])
def test_who_cannot_be_asked_is_refused_before_the_run(contract, given, program, tmp_path, monkeypatch, statuses, deed):
    """Nothing is started, created or stored."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    loaded, _ = cache.load(contract(statuses=statuses).read_bytes(), "echo.worker.md")
    command = tuple(program("reply({'result': {}})")[3:])
    binding = AskingBinding("command", "a test", command=command)
    ledger = str(tmp_path / "l.db")

    def carried_out():
        request = Request(Worker(loaded, binding), given().read_bytes, lambda event: None, lambda: False)
        return plan(request, ledger) if deed is plan else invoke_alone(ledger, request)

    if statuses is ALL:
        assert carried_out().exit_code == 0
        return
    with pytest.raises(
        ConfigurationError, match="is set up to ask people, and the contract's statuses lack 'needs_human'"
    ):
        carried_out()
    assert not (tmp_path / "l.db").exists()


@pytest.mark.rule("S9.6")
def test_neither_kind_is_set_up_to_ask():
    """What a task's own code does is not known."""
    assert not Binding("function", "", function="a:b").asks_people
    assert not Binding("command", "", command=("a",)).asks_people


# --- at a terminal --------------------------------------------------------------------------------------


@pytest.fixture
def terminal():
    screen = Terminal()
    yield screen
    screen.close()


def talk(cli, screen, call, *typed, env=None):
    """Run with a real terminal; each of `typed` is typed once its text stands there. The code and the document."""
    process = cli.start(
        *flagged(call, "--interactive"), stdin=screen.theirs, stderr=screen.theirs, preexec_fn=screen.adopt,
        env={"USER": "ann", "TERM": "xterm"} | (env or {}),
    )  # fmt: skip
    try:
        for text, keys in typed:
            until(screen, process, text)
            if callable(keys):
                keys()
            else:
                os.write(screen.ours, keys)
        screen.wait(process)
        out, _ = process.communicate(timeout=patience(30))
    finally:
        process.kill()
    return process.returncode, json.loads(out)


def until(screen, process, text):
    limit = time.monotonic() + patience(30)
    while text not in screen.text:
        screen.read()
        assert process.poll() is None, screen.text
        assert time.monotonic() < limit, screen.text
    screen.text = screen.text.partition(text)[2]


@pytest.mark.rule("S9.5")
def test_a_tool_call_is_approved_on_the_spot(cli, tool, terminal):
    code, document = talk(cli, terminal, tool, ("approve, deny, your answer; empty leaves it open> ", b"yes\n"))
    (told,) = document["result"]["decisions"]
    assert (code, told["answer"], told["by"]) == (0, "approve", "ann")
    assert starts(cli) == ["1", "2"]
    (request,) = requests(cli)
    assert request["decision"]["answer"] == "approve"


@pytest.mark.rule("S9.5")
def test_the_person_sees_what_is_asked(cli, tool, terminal):
    """The question, the call, the options, and where it stands when nothing is said."""
    seen = []
    code, document = talk(cli, terminal, tool, ("asks (tool, request ", lambda: seen.append(1)), ("open> ", b"\n"))
    assert (code, document["status"], seen) == (6, "needs_human", [1])
    assert len(pending(cli)) == 1
    assert starts(cli) == ["1"]
    process = cli.start(
        *tool, "--interactive", stdin=terminal.theirs, stderr=terminal.theirs, preexec_fn=terminal.adopt
    )
    terminal.text = ""
    until(terminal, process, 'May I?\r\n  call:    rm\r\n    {\r\n      "path": "a"\r\n    }\r\n')
    os.write(terminal.ours, b"\x04")
    terminal.wait(process)
    assert (process.returncode, process.communicate()[0]) == (6, cli(*tool).out)


@pytest.mark.rule("S9.5")
def test_an_answer_that_is_not_allowed_is_asked_for_again(cli, question, terminal):
    code, document = talk(
        cli, terminal, question,
        ("options: a, b", lambda: None), ("a, b, deny; empty leaves it open> ", b"c\n"),
        ("'c' is none of the request's options: a, b", lambda: None), ("open> ", b"b\n"),
    )  # fmt: skip
    assert (code, document["result"]) == (0, {"answers": ["b"]})


@pytest.mark.rule("S9.5")
def test_several_questions_in_one_call(cli, contract, given, program, terminal):
    """Each has a start and a deadline of its own; what the person takes is not the run's."""
    body = (
        "n = len(task['decisions'])\n"
        "if n < 2: reply({'error': {'message': f'Question {n}?'}}); sys.exit(77)\n"
        "reply({'result': {'answers': [d['answer'] for d in task['decisions']], 'left': task['seconds_left']}})"
    )
    spec = contract(statuses=ALL, constraints={"max_attempts": 1, "timeout_seconds": 2})

    def think():
        time.sleep(2.5)
        os.write(terminal.ours, "größer\n".encode())

    code, document = talk(
        cli, terminal, ["run", spec, given(), *program(body)],
        ("Question 0?", lambda: None), ("your answer, deny; empty leaves it open> ", think),
        ("Question 1?", lambda: None), ("open> ", b"deny\n"),
    )  # fmt: skip
    assert (code, document["result"]["answers"]) == (0, ["größer", "deny"])
    assert document["result"]["left"] > 1


@pytest.mark.rule("S9.5")
def test_an_interrupt_at_the_question_leaves_it_open(cli, tool, terminal):
    """The answer is printed, the exit code says that it was interrupted."""
    code, document = talk(cli, terminal, tool, ("open> ", b"\x03"))
    assert (code, document["status"]) == (130, "needs_human")
    assert len(pending(cli)) == 1
    assert starts(cli) == ["1"]


@pytest.mark.rule("S9.2", "S9.5")
def test_somebody_else_is_quicker(cli, tool, terminal):
    """The run's lock is free at the question; the first decision counts, and the run goes on with it."""

    def elsewhere():
        assert cli("approve", "r1", "--deny", "--by", "bob").code == 0
        os.write(terminal.ours, b"yes\n")

    code, document = talk(cli, terminal, tool, ("open> ", elsewhere), ("was decided by bob at ", lambda: None))
    (told,) = document["result"]["decisions"]
    assert (code, told["answer"], told["by"]) == (0, "deny", "bob")
    assert starts(cli) == ["1", "2"]


@pytest.mark.rule("S2.3", "S9.5")
def test_others_get_the_answer_while_somebody_thinks(cli, tool, terminal):
    got = []
    talk(cli, terminal, tool, ("open> ", lambda: (got.append(cli(*tool).code), os.write(terminal.ours, b"\n"))))
    assert got == [6]


@pytest.mark.rule("S9.5")
def test_the_input_is_the_one_it_began_with(cli, tool, given, terminal):
    """A file that changes at the question is not read again."""

    def change():
        given("another")
        os.write(terminal.ours, b"y\n")

    code, document = talk(cli, terminal, tool, ("open> ", change))
    assert (code, document["run_id"]) == (0, "r1")


@pytest.mark.rule("S9.5")
@pytest.mark.parametrize("missing", ["stdin", "stderr", "both"])
def test_without_a_terminal_it_is_refused(cli, tool, terminal, missing):
    """Exit 2, nothing is started."""
    streams = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    if missing == "stdin":
        streams["stderr"] = terminal.theirs
    elif missing == "stderr":
        streams["stdin"] = terminal.theirs
    process = cli.start(*tool, "--interactive", **streams)
    out, _ = process.communicate(timeout=patience(30))
    assert (process.returncode, json.loads(out)["error"]["code"]) == (2, "usage")
    assert "needs a terminal" in json.loads(out)["error"]["message"]
    assert starts(cli) == []


@pytest.mark.rule("S9.5")
def test_an_input_from_standard_input_is_refused(cli, tool, terminal):
    code, document = talk(cli, terminal, [*tool[:2], "-", *tool[3:]])
    assert (code, document["error"]["code"]) == (2, "usage")
    assert "give the input as a file" in document["error"]["hint"]


@pytest.mark.rule("S9.1", "S9.5")
def test_a_killed_questioner_leaves_the_request(cli, tool, terminal):
    process = cli.start(
        *tool, "--interactive", stdin=terminal.theirs, stderr=terminal.theirs, preexec_fn=terminal.adopt
    )
    until(terminal, process, "open> ")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_for(lambda: len(pending(cli)) == 1)
    assert cli("approve", "r1", "--by", "ann").code == 0
    assert cli(*tool).code == 0


# --- the page -------------------------------------------------------------------------------------------


def test_the_page_is_true(cli, tmp_path):
    """`docs/people.md`: every command prints what it shows."""
    page = (ROOT / "docs" / "people.md").read_text()
    blocks = blocks_of(page)
    environment = laid_out(tmp_path, cli, blocks)
    (tmp_path / "mail.worker.md").write_text(contract_text(id="mailer", statuses=ALL))
    assert printed_as_shown(tmp_path, environment, blocks) >= 12


def test_the_table_of_kinds_is_the_enumeration():
    from workermd.protocol.envelope import REQUEST_KINDS

    page = (ROOT / "docs" / "people.md").read_text()
    table = page.partition("| `kind` |")[2].partition("\n\n")[0]
    assert [line.split("`")[1] for line in table.splitlines()[2:]] == list(REQUEST_KINDS)
    assert all(f"`{answer}`" in page for answer in (decisions.APPROVE, decisions.DENY))
