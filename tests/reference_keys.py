"""The reference of `workermd.toml`: every key that the code's own tables know, with what it means.

A key that has no words here stops `python -m tests.reference`, and words for a key that is gone do too.
"""

from collections.abc import Iterable, Mapping

from workermd.config import configuration, tables
from workermd.task.task import KINDS

Words = Mapping[str, tuple[str, str, str]]
"""Type, default and meaning by key."""

TOP: Words = {
    "ledger": ("text", "`~/.local/state/workermd/ledger.db`", "The ledger file, relative to the configuration. `--ledger` and `WORKERMD_LEDGER` go before it."),
    "registry": ("text", "the shipped registry", "The folder of contracts that names are looked up in, relative to the configuration."),
    "env": ("list of text", "`[]`", "Variables that every task is given."),
    "secret_env": ("list of text", "`[]`", "The same, and their values are masked in everything that is written."),
    "max_input_bytes": ("whole number", f"`{configuration.MAX_INPUT_BYTES}`", "The largest input that is read. A longer one is `input_too_large`."),
    "sandbox": ("text", '`"auto"`', "What the kernel holds an attempt to: `auto`, `strict` or `off`. `--sandbox` and `WORKERMD_SANDBOX` go before it. See `docs/security.md`."),
    "workers": ("tables", "", "`[workers.ID]`: the binding of the worker with this id."),
    "modes": ("tables", "", '`[modes."MODE"]`: the binding of every worker of this mode that has none of its own.'),
    "models": ("tables", "", "`[models.NAME]`: a model by a name that bindings call it by."),
    "tools": ("tables", "", "`[tools.NAME]`: a tool that agents may call."),
    "servers": ("tables", "", "`[servers.NAME]`: an MCP server."),
    "lint": ("table", "", "`[lint]`: the rules of `validate`."),
}  # fmt: skip

BINDING: Words = {
    "backend": ("text", "by what else is there", "The kind: one of the kinds of `docs/backends.md`."),
    "function": ("text", "", "`module:callable`, or the name of an entry point. The module is looked for in the folder of the configuration first."),
    "command": ("list of text", "", "The program and its arguments."),
    "retry_exit_codes": ("list of whole numbers", "`[]`", "Exit codes of the program that are `retryable_error`."),
    "env": ("list of text", "`[]`", "Variables that the task is given."),
    "secret_env": ("list of text", "`[]`", "The same, and their values are masked."),
    "settings": ("table", "`{}`", "What the worker is told as `settings`."),
    "vouched": ("list of text", "`[]`", "Bounds that you answer for where the kind cannot hold them."),
    "reports_usage": ("true or false", "`false`", "The replies tell what they used, so bounds on usage are held after the fact."),
    "sensitive": ("list of text", "`[]`", "JSON Pointers into the input; `*` is every member. What stands there reaches the task and is kept nowhere: `***` stands in the ledger, logs, events, answers, recordings and reports."),
    "retain": ("text", "for ever", 'For how long settled runs of this worker stay, such as `"30d"` (h, d, w): `runs prune --expired` removes older ones.'),
    "max_turns": ("whole number", "", "The most requests to models in a run. It tightens the contract's `max_turns`."),
    "sandbox": ("text", "the file's", "What this worker's attempts are held to: `auto`, `strict` or `off`. See `docs/security.md`."),
    "max_memory_mb": ("whole number", "", "Most MiB of memory of an attempt. It tightens the contract's `max_memory_mb`."),
    "max_processes": ("whole number", "", "Most processes and threads of an attempt. It tightens the contract's `max_processes`."),
    "max_artifact_mb": ("whole number", "", "Most MiB of an attempt's artifacts. It tightens the contract's `max_artifact_mb`."),
    "network": ("text or list of text", "", '`"none"`, `"loopback"`, or hosts with their ports. It tightens the contract\'s `network`.'),
    "files": ("table", "`{}`", "Paths by the names that a contract's `files` needs; relative ones from the configuration's folder."),
    "model": ("text", "", "A name of `[models.…]`; or what the endpoint calls the model, with `base_url` beside it."),
    "base_url": ("text", "OpenAI's", "The endpoint of `model`, or the address of the kind `mcp`'s server."),
    "api_key_env": ("text", "", "The variable that holds the endpoint's key."),
    "models": ("list of text", "`[]`", "Further names of `[models.…]` that agents of this binding may use."),
    "tools": ("list of text", "`[]`", "Names of `[tools.…]` that agents of this binding may call."),
}  # fmt: skip

KIND: Words = {
    "image": ("text", "", "`command`: the image, by its digest, that the program runs in. An engine (podman, docker) is needed."),
    "address": ("text", "", "`http`: scheme, host and port that requests go to."),
    "key_env": ("text", "", "`http`: the variable that holds the key."),
    "key_header": ("text", '`"Authorization"`', "`http`: the header that carries the key."),
    "methods": ("list of text", '`["GET"]`', "`http`: the methods that may be used."),
    "idempotency_header": ("text", '`"Idempotency-Key"`', "`http`: the header that carries the run's key."),
    "ok_exit_codes": ("list of whole numbers", "`[0]`", "`program`: exit codes that are an answer."),
    "server": ("text", "", "`mcp`: a name of `[servers.…]`."),
    "tool": ("text", "", "`mcp`: the tool, where the input names none."),
    "allow": ("list of text", "`[]`", "`mcp`: patterns of allowed calls."),
    "approve": ("true or false", "`false`", "`mcp`: a person decides each call."),
    "retry_errors": ("true or false", "`false`", "`mcp`: an error that a tool reports is retryable."),
    "instructions": ("text", "", "Put behind the contract's purpose, for every agent."),
    "ask_user": ("true or false", "`false`", "Agents may ask a person."),
    "pattern": ("text", "", "How several agents work together."),
    "agents": ("list of tables", "", "The agents: `name`, `description`, `instructions`, `model`, `tools`, `handoffs`."),
    "answer": ("text", "the last agent", "The agent whose last word is the output."),
    "rounds": ("whole number", "by the pattern", "The most turns of the agents."),
    "until": ("text", "", "The word that ends the conversation."),
    "selector_model": ("text", "", "The model that chooses who speaks next."),
    "selector_prompt": ("text", "", "What the choosing model is told."),
    "sequence": ("list of text", "", "The order of the agents."),
    "edges": ("list of tables", "", "Who goes on after whom, and when."),
    "start": ("text", "", "The agent that begins."),
    "orchestrator_model": ("text", "", "The model that leads the others."),
    "max_stalls": ("whole number", "by the pattern", "Rounds without progress until a new plan is made."),
    "max_replans": ("whole number", "by the pattern", "New plans until the attempt ends."),
    "on_stall": ("text", "", "What happens when no new plan is left: `ask` asks a person."),
    "plan_review": ("true or false", "`false`", "A person decides on the plan."),
    "component": ("text", "", "A component document of AutoGen."),
    "team": ("text", "", "A team of AutoGen Studio's gallery, by its file."),
    "allow_providers": ("list of text", "`[]`", "Classes beyond ours that a component may name."),
    "declarative": ("text", "", "An agent in Agent Framework's YAML, by its file."),
    "factory": ("text", "", "`module:build`, a Python function that makes the agents."),
}  # fmt: skip

MODEL: Words = {
    "model": ("text", "", "What the endpoint calls the model. Required."),
    "base_url": ("text", "OpenAI's", "The endpoint, which speaks OpenAI's chat completions."),
    "api_key_env": ("text", "`OPENAI_API_KEY` for OpenAI's endpoint", "The variable that holds the key."),
    "api_key_file": ("text", "", "The file that holds the key, relative to the configuration: a secret of Docker or Kubernetes."),
    "api_key_keyring": ("text", "", "`SERVICE/USER`: the key in the system's keyring."),
    "api_key_command": ("list of text", "", "A program that prints the key, such as a token of Entra ID."),
    "bearer": ("true or false", "`false`", "Beside `api_version`: the key is a token, and goes as one."),
    "structured": ("text", '`"auto"`', "How the form of an answer is asked for: `auto`, `schema`, `json` or `text`."),
    "api_version": ("text", "", "Makes the requests those of an Azure deployment."),
    "options": ("table", "`{}`", "Sent with every request as they are."),
    "price": ("table", "the list price, where it is known", "`{ input = 0.4, output = 1.6 }`: US dollars for a million tokens."),
    "names": ("true or false", "`true`", "Messages bear the names of agents."),
    "system": ("text", '`"system"`', "The role of the system prompt: `system`, `developer` or `user`."),
    "merge_roles": ("true or false", "`false`", "Messages of one role in a row become one."),
    "stream": ("true or false", "`false`", "The endpoint answers by streaming only."),
    "headers": ("table", "`{}`", "Further headers, each with the variable that holds its value."),
    "ca_file": ("text", "", "Certificates that are trusted beside the system's."),
    "proxy_env": ("text", "", "The variable that holds the proxy's address."),
    "fallback": ("list of text", "`[]`", "Names of `[models.…]` that are asked where this one fails."),
    "provider": ("text", "", "Another interface than OpenAI's, by any-llm: for example `anthropic` (extra `providers`)."),
}  # fmt: skip

TOOL: Words = {
    "function": ("text", "", "`module:callable`, or the name of an entry point."),
    "server": ("text", "", "A name of `[servers.…]`."),
    "code": ("table", "", "Code that agents write is run: `[tools.NAME.code]`."),
    "tool": ("text", "the table's name", "What the server calls the tool."),
    "description": ("text", "the function's docstring, or the server's words", "What the model is told."),
    "allow": ("list of text", "`[]`: every call", "Patterns of allowed calls."),
    "approve": ("true or false", "`false`", "A person decides each call."),
    "repeatable": ("true or false", "`false`", "The same call may be made again after a crash."),
}  # fmt: skip

CODE: Words = {
    "executor": ("text", "", "`local` or `docker`. Required."),
    "languages": ("list of text", '`["python"]`', "Some of `python`, `sh`, `bash`."),
    "timeout": ("whole number", "`20`", "Seconds that one piece of code has."),
    "python": ("text", "this interpreter", "The interpreter of the local executor."),
    "image": ("text", '`"python:3-slim"`', "The image of Docker's."),
}  # fmt: skip

SERVER: Words = {
    "command": ("list of text", "", "The program that is the server."),
    "url": ("text", "", "The server's address. One of the two."),
    "env": ("list of text", "`[]`", "Variables that the server is given."),
    "secret_env": ("list of text", "`[]`", "The same, and their values are masked."),
    "header_env": ("table", "`{}`", "HTTP headers, each with the variable that holds its value."),
}  # fmt: skip

LINT: Words = {
    "select": ("list of text", "all", "Only these rules: codes, or how codes begin."),
    "ignore": ("list of text", "`[]`", "Not these rules."),
    "exclude": ("list of text", "`[]`", "Files and folders that are left out, as patterns of Git."),
}  # fmt: skip


def _section(title: str, said: str, known: Iterable[str], words: Words) -> str:
    known = list(known)
    if strange := set(known) ^ set(words):
        raise SystemExit(f"tests/reference_keys.py: {title}: words are missing or left over for {sorted(strange)}")
    rows = "".join(
        f"| `{key}` | {kind} | {default} | {meaning} |\n"
        for key, (kind, default, meaning) in ((key, words[key]) for key in known)
    )
    return f"\n## {title}\n\n{said}\n\n| key | type | default | meaning |\n|---|---|---|---|\n{rows}"


def page() -> str:
    bound = (
        *tables._BINDING_KEYS,
        *tables.reach.NAMES,
        "function",
        "command",
        "retry_exit_codes",
        *tables._MODEL_KEYS[:3],
        "models",
        "tools",
    )
    own = sorted(set().union(*(kind.keys for kind in KINDS.values())))
    models = (*tables._MODEL_KEYS, *tables._KEY_KEYS[1:], *tables._DIALECT_KEYS, *tables._WAY_KEYS)
    kinds = "".join(
        f"| `{name}` | {', '.join(f'`{key}`' for key in sorted(kind.keys))} |\n"
        for name, kind in KINDS.items()
        if kind.keys
    )
    return (
        "# workermd.toml\n\n"
        "Written by `python -m tests.reference` from `workermd/config/` and `workermd/task/task.py`, never by hand.\n\n"
        "workermd looks for `workermd.toml`, or for `[tool.workermd]` in a `pyproject.toml`, from the working directory upward, to the\n"
        "root of the repository. `--config FILE` names another, and `--no-config` reads none. A key that is not known is refused.\n"
        "`workermd init` writes a commented file, and `workermd doctor` says which one is used and whether it would work.\n"
        + _section("The file", "These keys stand at the top.", configuration._TOP_KEYS, TOP)
        + _section("[workers.ID] and [modes.MODE]", "Who performs a worker.", bound, BINDING)
        + _section("Keys of a kind", "They stand in `[workers.ID]` too, and each kind knows its own.", own, KIND)
        + f"\n| kind | its keys |\n|---|---|\n{kinds}"
        + _section("[models.NAME]", "A model behind an endpoint.", models, MODEL)
        + _section(
            "[tools.NAME]", "One of `function`, `server` and `code` says what the tool is.", tables._TOOL_KEYS, TOOL
        )
        + _section("[tools.NAME.code]", "The executor of code that agents write.", tables._CODE_KEYS, CODE)
        + _section("[servers.NAME]", "An MCP server.", tables._SERVER_KEYS, SERVER)
        + _section("[lint]", "What `validate` checks.", configuration._LINT_KEYS, LINT)
    )
