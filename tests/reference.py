"""The pages of `docs/reference/`, made from the tables of the code. `python -m tests.reference` writes them anew."""

from collections.abc import Iterator

from tests import manual, reference_keys
from tests.conftest import ROOT
from workermd.bench.suite_schema import suite_schema
from workermd.cli.table import COMMANDS
from workermd.cli.table.examples import EXAMPLES
from workermd.cli.table.form import ArgumentSpec, CommandSpec, OptionSpec
from workermd.protocol.envelope import ERROR_CODES, encoded

FOLDER = ROOT / "docs" / "reference"

ADVICE = {
    "input_schema_mismatch": "Correct the input at the places that the message names. `workermd validate SPEC --input FILE` lists all of them.",
    "input_too_large": "Send less, or raise `max_input_bytes` in `workermd.toml`.",
    "input_rejected": "Read the message of the task, and correct the input.",
    "task_reported": "Read the output: the task says there why it did not succeed.",
    "idempotency_conflict": "Give the new input a new run id, or send the old input to get the old answer.",
    "contract_changed": "Finish the run with the contract that it began with, or start a new run id.",
    "request_mismatch": "Correct the request document: it must name this contract, and may only tighten its bounds.",
    "run_key_missing": "Name the run: `--run-id ID`, `--new-run-id` or `--run-id-from input`.",
    "run_in_progress": "Wait for the other process, and run the same command again.",
    "ledger_busy": "Run the same command again. If it recurs, run fewer processes on one ledger.",
    "timeout": "Run the same command again while attempts are left. If it recurs, the contract needs a longer `timeout_seconds`.",
    "attempt_crashed": "Run the same command again while attempts are left. If it recurs, read what the task wrote to standard error.",
    "attempts_exhausted": "Find out whether the last attempt had an effect. Then `workermd runs reopen RUN_ID` grants another.",
    "rate_limited": "Run the same command again later.",
    "backend_unavailable": "Check that the service answers (`workermd doctor`), and run the same command again.",
    "backend_failed": "Mend the task, the key or the configuration that the message names. Then `workermd runs reopen RUN_ID`.",
    "output_not_json": "Let the task print one JSON object and nothing else to standard output.",
    "output_schema_mismatch": "Compare the reply with the output schema at the places that the message names.",
    "status_not_allowed": "Let the task use a status of the contract's `status_enum`, or add the status to the contract.",
    "run_id_mismatch": "Let the task return the `run_id` that it was given, or none.",
    "output_too_large": "Let the task return less, or raise `max_output_bytes` in the contract.",
    "secret_in_output": "Let the task leave the secret out of its reply. If the value is no secret, pass it with `env`, not `secret_env`.",
    "output_truncated": "Allow the model more tokens, or ask it for less.",
    "budget_exceeded": "Raise the bound that the message names, in the contract, or give the agent less to do.",
    "model_refused": "Change the instructions or the input. The model, or its provider, does not answer this one.",
    "tool_denied": "Add the call to `tools_allowed` in the contract, or tell the agent to do without it.",
    "approval_required": "Decide: `workermd runs pending`, then `workermd approve RUN_ID`. Then run the same command again.",
    "approval_denied": "Accept the decision, or let a person grant another start: `workermd runs reopen RUN_ID`.",
    "cancelled": "Run the same command again while attempts are left.",
}
"""What to do about each error code."""


def _written(name: str) -> str:
    return f"Written by `python -m tests.reference` from `{name}`, never by hand.\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _argument(argument: ArgumentSpec) -> str:
    word = argument.metavar + ("…" if argument.many else "")
    return word if argument.required else f"[{word}]"


def _option(option: OptionSpec) -> str:
    value = f" {option.metavar}" if option.metavar else " N" if option.kind == "count" else ""
    return ", ".join(f"`{flag}{value}`" for flag in option.flags)


def _more(option: OptionSpec) -> str:
    """The allowed values and the default, where the help leaves them out."""
    choices = f" One of {', '.join(option.choices)}." if option.choices and "(the default)" not in option.help else ""
    default = f" Default: {option.default}." if option.default is not None and "Default" not in option.help else ""
    return choices + default


def _command(command: CommandSpec) -> Iterator[str]:
    name = " ".join(("workermd", *command.name))
    yield f"\n## {name}\n\n{command.summary}\n\n"
    yield f"`{' '.join([name, *map(_argument, command.arguments), *['[OPTION…]'] * bool(command.options)])}`\n"
    rows = [(f"`{each.metavar}`", each.help) for each in command.arguments]
    rows += [(_option(each), each.help + _more(each)) for each in command.options]
    if rows:
        yield "\n| argument or option | meaning |\n|---|---|\n"
        yield from (f"| {_cell(left)} | {_cell(right)} |\n" for left, right in rows)
    if command.name in EXAMPLES:
        yield "\n```sh\n" + "".join(f"{each}\n" for each in EXAMPLES[command.name]) + "```\n"


def commands() -> str:
    rows = "".join(
        f"| [`workermd {' '.join(each.name)}`](#workermd-{'-'.join(each.name)}) | {_cell(each.summary)} |\n"
        for each in COMMANDS
    )
    head = f"# Commands\n\n{_written('workermd/cli/table/')}\n| command | does |\n|---|---|\n{rows}"
    return head + "".join(part for command in COMMANDS for part in _command(command))


def errors() -> str:
    rows = "".join(f"| `{code}` | {_cell(text)} | {_cell(ADVICE[code])} |\n" for code, text in ERROR_CODES.items())
    return (
        f"# Error codes\n\n{_written('workermd/protocol/envelope.py')}\n"
        "An answer that is no success names one of these codes in `result.error.code`, and the envelope in `error.code`.\n"
        "`retryable` beside it says whether the same command can still succeed. A run that is settled is given back as it\n"
        "is: after mending the cause, `workermd runs reopen RUN_ID` grants it a further attempt.\n\n"
        f"| code | meaning | what to do |\n|---|---|---|\n{rows}"
    )


def suite() -> str:
    return encoded(suite_schema()).decode()


PAGES = {
    "commands.md": commands,
    "errors.md": errors,
    "workermd.toml.md": reference_keys.page,
    "workermd.1": manual.page,
    "suite.schema.json": suite,
}

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())
