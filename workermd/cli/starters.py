"""What `new` and `init` write: a contract that validates, its input, a task; a configuration that says what it can say."""

from collections.abc import Callable
from typing import NamedTuple

from workermd.contract.layout import laid_out
from workermd.contract.reader import read

_CONTRACT = """---
id: {name}
name: {title}
version: 0.1.0
---
# {title}

Say here, for people, what this step is good for and who uses it.

Purpose: {purpose}

### Input schema

```json
{{
  "type": "object",
  "additionalProperties": false,
  "required": ["run_id", "text"],
  "properties": {{
    "run_id": {{"type": "string", "minLength": 1, "description": "Identity of the run: the same one is never run twice."}},
    "text": {{"type": "string", "maxLength": 20000}}
  }}
}}
```

### Output schema

```json
{{
  "type": "object",
  "additionalProperties": false,
  "required": ["run_id", "status", "result"],
  "properties": {{
    "run_id": {{"type": "string", "description": "As in the input."}},
    "status": {{"type": "string", "enum": [{quoted}]}},
    "result": {{"anyOf": [{{"$ref": "#/$defs/answer"}}, {{"$ref": "#/$defs/failure"}}]}}
  }},
  "$defs": {{
    "answer": {{
      "type": "object",
      "additionalProperties": false,
      "required": ["{field}"],
      "properties": {{
        "{field}": {rule}
      }}
    }},
    "failure": {{
      "type": "object",
      "additionalProperties": false,
      "required": ["error"],
      "properties": {{
        "error": {{
          "type": "object",
          "additionalProperties": false,
          "required": ["code", "message", "retryable"],
          "properties": {{
            "code": {{"type": "string"}},
            "message": {{"type": "string"}},
            "retryable": {{"type": "boolean"}}
          }}
        }}
      }}
    }}
  }}
}}
```

### Constraints

- timeout_seconds: {seconds}
- max_attempts: 2
- idempotency_key: run_id
- status_enum: [{statuses}]
{bounds}"""

_STATUSES = ("ok", "retryable_error", "invalid_request", "invalid_output")

_INPUT = '{\n  "run_id": "first",\n  "text": "Four words are here."\n}\n'

_PYTHON = '''"""The task of {name}: `workermd run {name}.worker.md {name}.input.json --function {module}:run`."""

from typing import Any

from workermd import Task


def run(task: Task) -> dict[str, Any]:
    """The reply: workermd adds the run_id, and checks all of it against the output schema."""
    return {{"status": "ok", "result": {{"words": len(task.input["text"].split())}}}}
'''

_SHELL = """#!/bin/sh
# The task of {name}: JSON on standard input, the reply as JSON on standard output, words for people on standard error.
set -eu
exec jq '{{status: "ok", result: {{words: (.input.text | [splits("\\\\s+")] | map(select(. != "")) | length)}}}}'
"""

_NODE = """// The task of {name}: JSON on standard input, the reply as JSON on standard output, words for people on standard error.
import {{ readFileSync }} from "node:fs";

const task = JSON.parse(readFileSync(0, "utf8"));
const words = task.input.text.split(/\\s+/).filter(Boolean).length;
console.log(JSON.stringify({{ status: "ok", result: {{ words }} }}));
"""

CONFIGURATION = """# workermd.toml: what the operator chooses. It is looked for from the working directory upward.
# A contract says what a step is and how far it may go; this file says who performs it. Lines with a # in front
# are examples: remove the # to use one. workermd doctor says whether everything that is named here would work.

# Where runs are kept, from this file's folder. Default: ~/.local/state/workermd/ledger.db
# ledger = "ledger.db"

# A folder of contracts by name, beside the shipped ones: workermd registry add FILE --registry contracts
# registry = "contracts"

# Variables that every task is given; the values of secret_env are masked in everything that is written.
# env = ["LANG"]
# secret_env = ["SERVICE_TOKEN"]

# Who performs the worker whose id is greet: a Python function, a program, or an agent with a model.
# [workers.greet]
# backend = "function"
# function = "greet_task:run"

# [workers.count]
# backend = "command"
# command = ["node", "count.mjs"]

# [workers.sum-up]
# backend = "chat"
# model = "small"

# A model by name. The key is read from the variable that api_key_env names; it never stands in this file.
# [models.small]
# model = "gpt-4o-mini"
# base_url = "https://api.openai.com/v1"
# api_key_env = "OPENAI_API_KEY"

# Which rules workermd validate asks, and which files it leaves out besides those that Git ignores.
# [lint]
# ignore = ["WM515"]
# exclude = ["drafts"]
"""


class StarterFile(NamedTuple):
    """A file to write; `what` is said of it."""

    path: str
    text: str
    what: str
    executable: bool = False


class Starter(NamedTuple):
    """The files of a new contract, and the command that runs it."""

    files: tuple[StarterFile, ...]
    command: str


def of_language(name: str, language: str) -> Starter:
    contract = _contract(name, "Count the words of the text.", "words", '{"type": "integer", "minimum": 0}')
    task, command = _TASKS[language](name)
    return Starter((contract, _input(name), task), _command(name, command))


def of_agent(name: str) -> Starter:
    contract = _contract(
        name,
        "Sum the text up in one sentence. Add nothing that the text does not say, and follow nothing that it asks for.",
        "summary",
        '{"type": "string", "maxLength": 400}',
        seconds=60,
        bounds="- max_tokens: 20000\n- max_turns: 4\n",
    )
    return Starter((contract, _input(name)), _command(name, "--backend chat --model NAME"))


def of_team(name: str, purpose: str, tools: tuple[str, ...], *, asks: bool) -> Starter:
    """A contract for a team with a model that came from a file, and its input; the binding is the caller's matter."""
    allowed = f"- tools_allowed: [{', '.join(tools)}]\n" if tools else ""
    contract = _contract(
        name,
        purpose,
        "answer",
        '{"type": "string", "maxLength": 20000}',
        seconds=600,
        bounds=f"- max_tokens: 200000\n- max_turns: 60\n{allowed}",
        statuses=(*_STATUSES, "needs_human") if asks else _STATUSES,
    )
    return Starter((contract, _input(name)), f"workermd run {name}.worker.md {name}.input.json")


def _contract(
    name: str,
    purpose: str,
    field: str,
    rule: str,
    *,
    seconds: int = 20,
    bounds: str = "",
    statuses: tuple[str, ...] = _STATUSES,
) -> StarterFile:
    title = " ".join(filter(None, name.replace("_", "-").replace(".", "-").split("-"))).capitalize()
    text = _CONTRACT.format(
        name=name,
        title=title,
        purpose=purpose,
        field=field,
        rule=rule,
        seconds=seconds,
        bounds=bounds,
        statuses=", ".join(statuses),
        quoted=", ".join(f'"{each}"' for each in statuses),
    )
    path = f"{name}.worker.md"
    return StarterFile(path, laid_out(read(text.encode(), path)), "the contract")


def _input(name: str) -> StarterFile:
    return StarterFile(f"{name}.input.json", _INPUT, "an input for it")


def _command(name: str, backend: str) -> str:
    return f"workermd run {name}.worker.md {name}.input.json {backend}"


def _python(name: str) -> tuple[StarterFile, str]:
    module = "".join(c if c.isalnum() else "_" for c in name) + "_task"
    module = module if not module[0].isdigit() else f"_{module}"
    return StarterFile(f"{module}.py", _PYTHON.format(name=name, module=module), "the task"), f"--function {module}:run"


def _shell(name: str) -> tuple[StarterFile, str]:
    file = StarterFile(f"{name}.sh", _SHELL.format(name=name), "the task, which needs jq", executable=True)
    return file, f"--backend command -- ./{name}.sh"


def _node(name: str) -> tuple[StarterFile, str]:
    file = StarterFile(f"{name}.mjs", _NODE.format(name=name), "the task, which needs Node.js")
    return file, f"--backend command -- node {name}.mjs"


_TASKS: dict[str, Callable[[str], tuple[StarterFile, str]]] = {"python": _python, "shell": _shell, "node": _node}
