"""The command line's two readers give the same values for the same call; its help is complete and fits a terminal."""

import re
import shlex
from importlib import import_module
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT, loaded_by
from tests.properties import examples
from workermd.cli import completion, full_reader, main
from workermd.cli.full_reader import ELSEWHERE
from workermd.cli.quick_reader import quick
from workermd.cli.table import COMMANDS
from workermd.cli.table.examples import EXAMPLES
from workermd.cli.table.form import MOST
from workermd.cli.table.run import RUN
from workermd.cli.values import converted
from workermd.contract.rules import RULES
from workermd.protocol.errors import UsageError
from workermd.task.task import KINDS

NAMES = [" ".join(command.name) for command in COMMANDS]


def fully(words):
    """What the full reader makes of a call: the command and its values, or None where it complains or shows help."""
    try:
        return None if full_reader.help_wanted(words) else full_reader.read(words)
    except UsageError:
        return None


def agree(words):
    """The quick reader gives what the full one gives, or leaves the call to it."""
    fast = quick(words)
    if fast is not None:
        assert fully(words) == fast, words
    return fast


# --- the same values ------------------------------------------------------------------------------------

ODD_WORDS = [
    "", "-", "--", "---", "-q", "-qq", "-x", "--help", "--nope", "--quiet=1", "--format=json", "--form", "--env=A",
    "0", "3", "-1", "+1", "1.5", ".5", "1e3", "nan", "inf", "1_000", " 1", "٣", "99999999999", "text", "json", "xml",
    "a b", "ä", "\udcff", "--no-wait", "--no-no-wait", "run", "list", "--limit", "--limit=2", "--timeout", "--input",
]  # fmt: skip


@st.composite
def calls(draw):
    """Mostly well-formed calls of the table, with odd words at odd places."""
    command = draw(st.sampled_from(COMMANDS))
    words = []
    for option in draw(st.lists(st.sampled_from(command.options), max_size=5)) if command.options else ():
        flag = draw(st.sampled_from(option.flags))
        if option.kind == "flag":
            words.append([flag])
            continue
        usual = {"count": ["1", "7"], "number": ["2", "0.5"]}.get(option.kind, list(option.choices) or ["a", "K=V"])
        value = draw(st.one_of(st.sampled_from(usual), st.sampled_from(ODD_WORDS)))
        words.append(draw(st.sampled_from([[flag, value], [flag, value], [flag, value], [f"{flag}={value}"], [flag]])))
    most = sum(3 if argument.many else 1 for argument in command.arguments)
    words += [[draw(st.sampled_from(["a", "b.json", "-", "c d"]))] for _ in range(draw(st.integers(0, most)))]
    words += [[word] for word in draw(st.lists(st.sampled_from(ODD_WORDS), max_size=2))]
    flat = [word for group in draw(st.permutations(words)) for word in group]
    after = draw(st.one_of(st.just([]), st.lists(st.sampled_from(["prog", *ODD_WORDS]), max_size=4)))
    return [*command.name, *flat, *(["--", *after] if after else [])]


@settings(max_examples=examples(400), deadline=None)
@given(calls())
def test_both_readers_agree(words):
    agree(words)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.sampled_from([*ODD_WORDS, "validate", "runs", "show", "schema", "--version"]), max_size=5))
def test_both_readers_agree_on_nonsense(words):
    agree(words)


READ_QUICKLY = {
    "run a b": {"spec": "a", "input": "b", "program": []},
    "run --backend command a - -- prog --flag -q -- x": {"input": "-", "program": ["prog", "--flag", "-q", "--", "x"]},
    "run a b --env X --env Y -q": {"env": ["X", "Y"], "quiet": True},
    "run a --timeout 1 b --timeout 2.5": {"timeout": 2.5},
    "run a b --max-attempts 2": {"max_attempts": 2},
    "validate - a --format json": {"paths": ["-", "a"], "format": "json"},
    "validate a -- --b": {"paths": ["a", "--b"]},
    "runs list": {"limit": 50, "format": "text"},
    "runs show x --worker w": {"run_id": "x", "worker": "w"},
    "runs prune --older-than .5 --dry-run": {"older_than": ".5", "dry_run": True, "all": False},
    "schema envelope": {"name": "envelope"},
}


@pytest.mark.parametrize("call", READ_QUICKLY)
def test_a_well_formed_call_is_read_quickly(call):
    """Otherwise agreeing would be easy: by never reading anything."""
    found = agree(call.split())
    assert found is not None
    assert found[1] | READ_QUICKLY[call] == found[1]


LEFT_TO_THE_FULL_READER = [
    "", "--help", "run", "run --help", "run a b --help", "run a b --nope", "run a b --env", "run a b --quie",
    "run a b --timeout -1", "run a b --timeout nan", "run a b --timeout=1", "run a b -qq", "run a b --ledger --config",
    "validate a --format xml", "runs", "runs list a", "runs list --limit 1.5", "runs list --limit +1",
    "schema", "schema a b", "zzz", "runs nope", "--version a", "-- run a b",
]  # fmt: skip


@pytest.mark.parametrize("call", LEFT_TO_THE_FULL_READER)
def test_what_is_not_plain_is_left_to_the_full_reader(call):
    assert quick(call.split()) is None


def test_the_forms_that_only_the_full_reader_knows_give_the_same_values():
    plain = quick(["run", "a", "b", "--timeout", "1", "--env", "X", "-q"])
    assert fully(["run", "a", "--timeout=1", "--env=X", "-qq", "b"]) == plain
    dash = fully(["run", "a", "b", "--model=-x", "--env=a=--b", "-qv", "--", "--help", "--"])[1]
    assert (dash["model"], dash["env"], dash["program"], dash["verbose"]) == ("-x", ["a=--b"], ["--help", "--"], True)


@pytest.mark.parametrize(
    "word", ["", " 1", "+1", "-1", "1_000", "٣", "nan", "inf", "1e3", "0x10", "1.", ".", str(MOST + 1), "9" * 5000]
)
def test_a_number_is_decimal_and_within_reach(word):
    """A database and a clock have to hold it; int() and float() take far more."""
    limit = next(option for command in COMMANDS for option in command.options if option.name == "limit")
    seconds = next(option for command in COMMANDS for option in command.options if option.name == "timeout")
    for option in (limit, seconds):
        with pytest.raises(UsageError, match="found"):
            converted(option, word)
    assert (converted(limit, str(MOST)), converted(seconds, "0.5")) == (MOST, 0.5)


# --- the table ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_everything_has_a_help_text(command):
    for text in (command.summary, *(each.help for each in (*command.arguments, *command.options))):
        assert text[0].isupper()
        assert text.endswith(".")
    assert all(option.kind == "flag" or option.metavar for option in command.options)
    assert all(argument.metavar for argument in command.arguments)
    flags = [flag for option in command.options for flag in option.flags]
    assert len(flags) == len(set(flags))


def test_a_flag_means_the_same_everywhere():
    """One letter, one word, one meaning: an option that several commands have is the same kind of thing in all."""
    kinds = {}
    for command in COMMANDS:
        for option in command.options:
            for flag in option.flags:
                metavar = None if option.choices else option.metavar
                kinds.setdefault(flag, set()).add((option.flags, option.kind, metavar))
    kinds.pop("--request")  # run takes a protocol's request, approve names a person's: both are the field's word
    kinds.pop("--rate")  # batch bounds starts in a time that is named, serve the requests of a caller in a minute
    kinds.pop("--check")  # fmt looks without writing, derive looks at a file: both are the field's word
    kinds.pop("--write")  # run and derive write to a file that is named, doctor to the configuration that it reads
    kinds.pop("--queue")  # serve bounds how many wait, a cluster has queues by name: both are the field's word
    assert {flag: found for flag, found in kinds.items() if len(found) > 1} == {}


def test_the_help_names_every_kind_of_backend():
    named = next(option.help for option in RUN.options if option.name == "backend")
    assert set(re.findall(r"[\w-]+", named.partition(": ")[2])) - {"or"} == set(KINDS)


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_every_example_is_a_call_that_is_understood(line):
    found = quick(shlex.split(line)[1:])
    assert found is not None
    assert line in EXAMPLES[found[0].name]


# --- help, completion and mistakes, as a user meets them -------------------------------------------------

HELPS = [[], ["-h"], ["runs"], ["runs", "--help"], *([*command.name, "--help"] for command in COMMANDS)]


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_fits_a_terminal(capfdbinary, monkeypatch, arguments):
    monkeypatch.setenv("COLUMNS", "80")
    code = main.answer(arguments)
    out, err = capfdbinary.readouterr()
    text = out.decode()
    assert (code, err) == (0, b"")
    assert text.startswith("Usage: workermd ")
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "..." not in text.partition("Options:")[2], "nothing is cut"
    assert "<" not in text, "no types of Python"
    for command in COMMANDS:
        if arguments[:-1] == [*command.name]:
            for each in (*command.options, *command.arguments):
                assert " ".join(each.help.split()) in " ".join(text.split())
            assert all(flag in text for option in command.options for flag in option.flags)


def test_help_wins_over_what_is_wrong_beside_it(capfdbinary):
    for call in ("run --nope -h", "run a b --timeout soon --help", "runs show -h x y z"):
        assert main.answer(call.split()) == 0
        assert capfdbinary.readouterr().out.startswith(
            f"Usage: workermd {call.split(' -')[0].split(' a')[0]} ".encode()
        )
    for call in (["help", "runs", "list"], ["help"], ["help", "registry"]):
        assert main.answer(call) == 0
        usage = " ".join(["Usage: workermd", *call[1:], ""])
        assert capfdbinary.readouterr().out.decode().startswith(usage)
    assert main.answer(["help", "runs", "nope"]) == 2
    assert b"there is no command 'nope'" in capfdbinary.readouterr().err
    assert main.answer(["runs", "nope", "--help"]) == 2
    assert b"there is no command 'nope'" in capfdbinary.readouterr().err


@pytest.mark.rule("S1.1", "S1.5")
def test_help_tells_the_exit_codes(cli):
    from workermd.protocol.envelope import Status

    whole, of_run = cli("--help").out.decode(), cli("run", "--help").out.decode()
    for status in Status:
        assert f"{status.exit_code}    {status.value}" in whole
        assert f"{status.exit_code}    {status.value}" in of_run
    assert "130  interrupted" in whole


def test_the_version(cli):
    from workermd import __version__

    for arguments in (["--version"], ["version"]):
        done = cli(*arguments)
        assert (done.code, done.out.decode(), done.err) == (0, f"workermd {__version__}\n", "")


@pytest.mark.parametrize(
    ("typed_so_far", "offered"),
    [
        ("workermd va", {"validate"}),
        ("workermd runs ", {command.name[1] for command in COMMANDS if command.name[0] == "runs"}),
        ("workermd run --en", {"--env", "--envelope", "--envelope-file"}),
        ("workermd validate --format ", {"text", "json", "jsonl", "sarif", "github", "junit", "markdown"}),
    ],
)
def test_completion_offers_commands_options_and_choices(cli, typed_so_far, offered):
    words = typed_so_far.split(" ")
    env = {"_WORKERMD_COMPLETE": "complete_bash", "COMP_WORDS": typed_so_far, "COMP_CWORD": str(len(words) - 1)}
    done = cli(env=env)
    assert (done.code, set(done.out.decode().split())) == (0, offered), done.err


def test_completion_offers_values(cli, contract, given, program):
    contract()
    cli("run", "echo.worker.md", given("r-77"), *program("reply({'status': 'ok', 'result': {}})"))
    (cli.folder / "sub").mkdir()

    def offered(typed):
        words = typed.split(" ")
        env = {"_WORKERMD_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
        return set(cli(env=env).out.decode().split())

    assert offered("workermd run a b --backend ag") == {"ag2", "agent-framework"}
    assert offered("workermd runs show ") == {"r-77"}
    assert offered("workermd runs show --ledger nope.db ") == set()
    assert offered("workermd runs list --worker e") == {"echo"}
    assert offered("workermd runs list --status need") == {"needs_human"}
    assert offered("workermd rule WM70") == {code for code in RULES if code.startswith("WM70")}
    assert offered("workermd validate --ignore WM51") == {code for code in RULES if code.startswith("WM51")}
    assert offered("workermd run e") == {"echo.worker.md"}
    assert offered("workermd run su") == {"sub/"}
    assert "microsoft-autogen" in offered(f"workermd registry show --registry {ROOT / 'registry'} micro")
    assert offered("workermd schema ") == {"contract", "parsed", "envelope", "finding", "suite"}


def test_completion_can_be_shown(cli):
    done = cli("--show-completion", env={"SHELL": "/bin/bash"})
    assert done.code == 0, done.err


MISTAKES = {
    "zzz": "there is no command 'zzz'; see: workermd --help",
    "daemon": "there is no command 'daemon'; see: workermd --help",
    "vlaidate x": "there is no command 'vlaidate'; did you mean 'validate'? see: workermd --help",
    "check x": "there is no command 'check'; did you mean 'validate'? see: workermd --help",
    "create x": "there is no command 'create'; did you mean 'new'? see: workermd --help",
    "run a b --force": "there is no option '--force'; did you mean --again? see: workermd run --help",
    "validate a --force": "there is no option '--force'; see: workermd validate --help",
    "--quiet run": "there is no option '--quiet' before a command; see: workermd --help",
    "runs lst": "there is no command 'lst'; did you mean 'list'? see: workermd runs --help",
    "run x": "INPUT is missing; name a JSON file, or - for standard input, or give its fields: --set KEY=VALUE; see: workermd run --help",
    "run": "SPEC is missing; see: workermd run --help",
    "run a b c": "there are more arguments than the command takes: c; see: workermd run --help",
    "runs show": "RUN_ID is missing; see: workermd runs show --help",
    "runs show a b": "there are more arguments than the command takes: b; see: workermd runs show --help",
    "validate a --inptu x": "there is no option '--inptu'; did you mean --input? see: workermd validate --help",
    "run a b --bakend=x": "there is no option '--bakend'; did you mean --backend? see: workermd run --help",
    "run a b --colour": "there is no option '--colour'; see: workermd run --help",
    "runs list --limit": "--limit needs a value after it; see: workermd runs list --help",
    "runs list --worker --limit 1": "--worker needs a value after it; see: workermd runs list --help",
    "runs list --worker=--": "--worker needs a value after it; see: workermd runs list --help",
    "validate a --quiet=1": "--quiet takes no value; see: workermd validate --help",
    "validate a --format xml": "--format: found 'xml'; allowed: text, json, jsonl, sarif, github, junit, markdown",
    "validate a --format=sarfi": "--format: found 'sarfi'; did you mean sarif? allowed: text, json, jsonl, sarif, "
    "github, junit, markdown",
    "runs list --limit many": "--limit: found 'many'; allowed: a whole number from 0 to 1,000,000,000",
    "run a b --timeout soon": "--timeout: found 'soon'; allowed: a number from 0 to 1,000,000,000, such as 2.5",
    "schema nope": "no schema 'nope'; there is: contract, parsed, envelope, finding, suite; choose one of these",
}


@pytest.mark.rule("S1.5")
@pytest.mark.parametrize("call", MISTAKES)
def test_a_mistake_is_one_line_in_our_words(capfdbinary, call):
    """Exit 2; nothing of argparse's or Python's inside."""
    code = main.answer(call.split())
    out, err = capfdbinary.readouterr()
    assert (code, err.decode()) == (2, f"workermd: {MISTAKES[call]}\n")
    assert bool(out) == (call.split()[0] == "run")


def test_a_mistake_costs_no_import_of_typer():
    code = "from workermd.cli import main; main.answer(['run', 'a', '--bakend', 'x'])"
    assert loaded_by(f"import sys; sys.stdout = sys.stderr\n{code}\nsys.stdout = sys.__stdout__").isdisjoint(
        {"typer", "rich", "inspect", "asyncio"}
    )


def test_what_other_programs_call_a_command_names_one_of_ours():
    names = {" ".join(command.name) for command in COMMANDS}
    assert set(ELSEWHERE.values()) <= names
    assert not set(ELSEWHERE) & names


# --- the table and what is made from it -------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_a_command_gets_what_the_table_says(command):
    """The typed options of a command are the table's, in its order: all that either reader gives, and nothing else."""
    module = import_module(command.module)
    fields = getattr(module, command.options_type).__annotations__
    assert list(fields) == [each.name for each in (*command.arguments, *command.options)]
    kinds = {"flag": bool, "many": list[str], "text": str, "number": float, "count": int}
    for option in command.options:
        declared = get_args(fields[option.name]) or (fields[option.name],)
        if option.kind == "many":
            assert fields[option.name] == list[str]
        elif option.choices and set(declared) <= set(option.choices):
            assert set(declared) == set(option.choices)
        else:
            assert kinds[option.kind] in declared
            assert (type(None) in declared) == (option.initial is None)


def test_every_value_that_is_completed_has_what_completes_it():
    named = {each.offers for command in COMMANDS for each in (*command.arguments, *command.options)} - {""}
    assert named == set(completion.OFFERS)
