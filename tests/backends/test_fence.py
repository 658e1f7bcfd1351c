"""One code fence around one object is a reply (S8.2)."""

import pytest

from workermd.backends.fence import unfenced

OBJECT = '{"result": {}}'


@pytest.mark.rule("S8.2")
@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{OBJECT}\n```\n",
        f"\n```\n{OBJECT}\n```",
        f"```JSON\r\n{OBJECT}\r\n```",
        f"~~~json\n{OBJECT}\n~~~",
        f"````\n{OBJECT}\n````",
    ],
)
def test_one_fence_is_taken_off(text):
    assert unfenced(text).strip() == OBJECT


@pytest.mark.parametrize(
    "text",
    [
        OBJECT,
        f"Here it is:\n```json\n{OBJECT}\n```",
        f"```json\n{OBJECT}\n```\nDone.",
        f"```json\n{OBJECT}\n```\n```json\n{OBJECT}\n```",
        f"```json\n{OBJECT}",
        "```",
        f"~~~json\n{OBJECT}\n```",
        f"````\n{OBJECT}\n```",
        '{"text": "```"}',
    ],
)
def test_everything_else_stays_as_it_is(text):
    assert unfenced(text) == text


@pytest.mark.rule("S8.2", "S8.4")
def test_a_program_may_print_what_its_model_said(cli, contract, given, program):
    done = cli("run", contract(), given(), *program("print('```json'); reply({'result': {'a': 1}}); print('```')"))
    assert (done.code, done.document["result"]) == (0, {"a": 1})
