"""The command line's two readers give the same values for the same call; its help is complete and fits a terminal."""

import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workermd.cli import typer_app
from workermd.cli.table import COMMANDS, MOST, RUN, converted, quick
from workermd.protocol.errors import UsageError
from workermd.task.task import KINDS

NAMES = [" ".join(command.name) for command in COMMANDS]


def by_typer(words):
    """What typer makes of a call: the command and its values, or None where it complains or shows help."""
    seen = []

    def note(command, values):
        seen.append((command, values))
        return 0

    try:
        code = typer_app.call(words, note)
    except UsageError:
        return None
    assert code == 0
    return seen[0] if seen else None


def agree(words):
    """The quick reader gives what typer gives, or leaves the call to it."""
    fast = quick(words)
    if fast is not None:
        assert by_typer(words) == fast, words
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


@settings(max_examples=400, deadline=None)
@given(calls())
def test_both_readers_agree(words):
    agree(words)


@settings(max_examples=100, deadline=None)
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
    "runs list": {"limit": 50, "format": "text", "deed": "list"},
    "runs show x --worker w": {"run_id": "x", "worker": "w"},
    "runs prune --older-than .5 --dry-run": {"older_than": 0.5, "dry_run": True, "all": False},
    "schema envelope": {"name": "envelope"},
}


@pytest.mark.parametrize("call", READ_QUICKLY)
def test_a_well_formed_call_needs_no_typer(call):
    """Otherwise agreeing would be easy: by never reading anything."""
    found = agree(call.split())
    assert found is not None
    assert found[1] | READ_QUICKLY[call] == found[1]


LEFT_TO_TYPER = [
    "", "--help", "run", "run a", "run --help", "run a b --help", "run a b --nope", "run a b --env", "run a b --quie",
    "run a b --timeout -1", "run a b --timeout nan", "run a b --timeout=1", "run a b -qq", "run a b --ledger --config",
    "validate", "validate a --format xml", "runs", "runs list a", "runs list --limit 1.5", "runs list --limit +1",
    "schema", "schema a b", "nope", "runs nope", "--version a", "-- run a b",
]  # fmt: skip


@pytest.mark.parametrize("call", LEFT_TO_TYPER)
def test_what_is_not_plain_is_left_to_typer(call):
    assert quick(call.split()) is None


def test_the_forms_that_only_typer_reads_give_the_same_values():
    plain = quick(["run", "a", "b", "--timeout", "1", "--env", "X", "-q"])
    assert by_typer(["run", "a", "--timeout=1", "--env=X", "-qq", "b"]) == plain


@pytest.mark.parametrize(
    "word", ["", " 1", "+1", "-1", "1_000", "٣", "nan", "inf", "1e3", "0x10", "1.", ".", str(MOST + 1), "9" * 5000]
)
def test_a_number_is_decimal_and_within_reach(word):
    """A database and a clock have to hold it; int() and float() take far more."""
    limit = next(option for command in COMMANDS for option in command.options if option.name == "limit")
    days = next(option for command in COMMANDS for option in command.options if option.name == "older_than")
    for option in (limit, days):
        with pytest.raises(UsageError, match="found"):
            converted(option, word)
    assert (converted(limit, str(MOST)), converted(days, "0.5")) == (MOST, 0.5)


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
    kinds.pop("--check")  # fmt looks without writing, derive looks at a file: both are the field's word
    assert {flag: found for flag, found in kinds.items() if len(found) > 1} == {}


def test_the_help_names_every_kind_of_backend():
    named = next(option.help for option in RUN.options if option.name == "backend")
    assert set(re.findall(r"[\w-]+", named.partition(": ")[2])) - {"or"} == set(KINDS)


@pytest.mark.parametrize("line", [line for lines in typer_app.EXAMPLES.values() for line in lines])
def test_every_example_is_a_call_that_is_understood(line):
    found = quick(shlex.split(line)[1:])
    assert found is not None
    assert line in typer_app.EXAMPLES[found[0].name]


# --- help, completion and mistakes, as a user meets them -------------------------------------------------

HELPS = [[], ["--help"], ["runs"], ["runs", "--help"], *([*command.name, "--help"] for command in COMMANDS)]


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_help_fits_a_terminal(cli, arguments):
    done = cli(*arguments, env={"COLUMNS": "80"})
    text = done.out.decode()
    assert (done.code, done.err) == (0, "")
    assert text.startswith("Usage: workermd ")
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "..." not in text.partition("Options:")[2], "nothing is cut"
    assert "<" not in text, "no types of Python"
    for command in COMMANDS:
        if arguments[:-1] == [*command.name]:
            for each in (*command.options, *command.arguments):
                assert " ".join(each.help.split()) in " ".join(text.split())


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

    for arguments in (["--version"], ["--version", "run"]):
        done = cli(*arguments)
        assert (done.code, done.out.decode(), done.err) == (0, f"workermd {__version__}\n", "")


@pytest.mark.parametrize(
    ("typed_so_far", "offered"),
    [
        ("workermd va", {"validate"}),
        ("workermd runs ", {"list", "show", "pending", "reopen", "prune"}),
        ("workermd run --en", {"--env", "--envelope"}),
        ("workermd validate --format ", {"text", "json", "jsonl", "sarif", "github", "junit", "markdown"}),
    ],
)
def test_completion_offers_commands_options_and_choices(cli, typed_so_far, offered):
    words = typed_so_far.split(" ")
    env = {"_WORKERMD_COMPLETE": "complete_bash", "COMP_WORDS": typed_so_far, "COMP_CWORD": str(len(words) - 1)}
    done = cli(env=env)
    assert (done.code, set(done.out.decode().split())) == (0, offered), done.err


def test_completion_can_be_shown(cli):
    done = cli("--show-completion", env={"SHELL": "/bin/bash"})
    assert done.code == 0, done.err


MISTAKES = {
    "nope": "there is no command 'nope'; see: workermd --help",
    "runs lst": "there is no command 'lst'; did you mean 'list'?; see: workermd runs --help",
    "run": "SPEC is missing; see: workermd run --help",
    "validate": "PATH is missing; see: workermd validate --help",
    "runs show a b": "there are more arguments than the command takes: (b); see: workermd runs show --help",
    "validate a --inptu x": "there is no option '--inptu'; did you mean --input?; see: workermd validate --help",
    "runs list --limit": "--limit needs a value after it; see: workermd runs list --help",
    "validate a --quiet=1": "--quiet takes no value; see: workermd validate --help",
    "validate a --format xml": "--format: found 'xml'; allowed: text, json, jsonl, sarif, github, junit, markdown",
    "runs list --limit many": "--limit: found 'many'; allowed: a whole number from 0 to 1,000,000,000",
    "run a b --timeout soon": "--timeout: found 'soon'; allowed: a number from 0 to 1,000,000,000, such as 2.5",
    "schema nope": "no schema 'nope'; there is: contract, envelope, finding; choose one of these",
}


@pytest.mark.rule("S1.5")
@pytest.mark.parametrize("call", MISTAKES)
def test_a_mistake_is_one_line_in_our_words(cli, call):
    """Exit 2; nothing of typer's or Python's inside."""
    done = cli(*call.split())
    assert (done.code, done.err) == (2, f"workermd: {MISTAKES[call]}\n")
    assert bool(done.out) == call.startswith("run ") or call == "run"
