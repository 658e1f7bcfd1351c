"""What an operator binds to a worker: a kind of backend and all that it needs (S6.1). Names of variables, never values."""

import os
from typing import NamedTuple

from workermd.protocol.envelope import Document

OPENAI = "https://api.openai.com/v1"
"""The endpoint of a model for which none is named."""


class Model(NamedTuple):
    """A model behind an endpoint that speaks OpenAI's chat completions. The key is known by its variable only.

    `structured` says how an answer's shape is asked for: `schema`, `json`, `text`, or `auto`, which begins with
    the first and falls back where the endpoint cannot. `options` are sent with every request as they are.
    `api_version` makes the requests those of an Azure deployment. Prices are US dollars for a million tokens.

    What an endpoint takes otherwise than OpenAI's: `names` says whether messages may bear one, `system` by which role
    the system prompt goes, `merge_roles` whether messages of one role in a row become one, `stream` whether it answers
    by streaming only. `headers` maps further headers to the variables that hold their values; `ca_file` names a file or
    folder of trusted authorities, `proxy_env` the variable that holds the way. `fallback` names other models, one of
    which is asked where this one fails. `provider` names another interface than OpenAI's, as any-llm calls it.
    """

    name: str
    base_url: str = OPENAI
    api_key_env: str = ""
    structured: str = "auto"
    api_version: str = ""
    options: Document = {}  # noqa: RUF012 - a frozen record's default, never mutated
    input_price: float | None = None
    output_price: float | None = None
    names: bool = True
    system: str = "system"
    merge_roles: bool = False
    stream: bool = False
    headers: Document = {}  # noqa: RUF012 - the same
    ca_file: str = ""
    proxy_env: str = ""
    fallback: tuple[str, ...] = ()
    provider: str = ""
    key_from: str = ""
    """`file:PATH`, `keyring:SERVICE/USER` or `command:WORDS`, from which the variable of the key is filled; empty: the
    caller fills it."""
    bearer: bool = False
    """A key beside `api_version` is a token: it goes as one, and not as Azure's key."""

    @property
    def key_header(self) -> tuple[str, str]:
        """The header that carries the key, and what stands before it."""
        return ("api-key", "") if self.api_version and not self.bearer else ("authorization", "Bearer ")

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that hold its key, its headers' values and its proxy: passed on, and masked."""
        return tuple(name for name in (self.api_key_env, self.proxy_env, *self.headers.values()) if name)


class ToolBinding(NamedTuple):
    """A tool that agents may call. Exactly one of `function`, `server` and `code` says what it is.

    `function` is `module:callable` or an entry point; `server` names an MCP server, of which `tool` (default: the
    name) is meant; `code` is the settings of a code executor. `allow` are patterns, `name(argument=pattern, …)`, of
    which one must fit a call; without any, every call of this tool fits. With `approve` a person decides each call. A
    `repeatable` tool may be called again where nobody knows what came of the first call.
    """

    name: str
    function: str = ""
    server: str = ""
    tool: str = ""
    code: Document | None = None
    description: str = ""
    allow: tuple[str, ...] = ()
    approve: bool = False
    repeatable: bool = False


OWN_SERVER = "own"
"""The name of the server that a binding describes itself; it gets the binding's variables."""


class ServerBinding(NamedTuple):
    """An MCP server: a program that is started (`command`) or an address (`url`).

    A program gets the variables of `env` and `secret_env` beside the allow-list; values of the latter are masked.
    `header_env` maps the names of HTTP headers to the variables that hold their values, which are masked too.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    env: tuple[str, ...] = ()
    secret_env: tuple[str, ...] = ()
    header_env: Document = {}  # noqa: RUF012 - a frozen record's default, never mutated


class Binding(NamedTuple):
    """Which backend serves a worker, and how: always the operator's choice (S6.1).

    `env` names variables passed through as they are, `secret_env` those whose values are masked in
    everything we write. `origin` says where the choice came from, for messages and `--dry-run`.
    `models` are its models, its own among them, by the names that `arrangement`, the kind's own keys, calls them by; `fallbacks` those
    that any of its models names as its fallback.
    `folder` is where the configuration stands: paths in `arrangement` are relative to it. `record` and `replay` are
    folders that an attempt is kept in or given back from. `vouched` names bounds that the operator answers for where
    the kind cannot hold them; `reports_usage` says that its replies tell what they used. `reach` has the operator's own
    `max_memory_mb` and so on, and as `files` the paths granted by name; `sandbox` is this worker's own choice, or empty.
    `sensitive` are JSON Pointers into the input: what stands there is kept nowhere. `retain` is for how many seconds
    settled runs stay, 0 for ever.
    """

    kind: str
    origin: str
    function: str = ""
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    secret_env: tuple[str, ...] = ()
    retry_exit_codes: tuple[int, ...] = ()
    settings: Document = {}  # noqa: RUF012 - never mutated: NamedTuple default of a frozen record
    model: Model | None = None
    models: dict[str, Model] = {}  # noqa: RUF012 - the same
    fallbacks: dict[str, Model] = {}  # noqa: RUF012 - the same
    tools: tuple[ToolBinding, ...] = ()
    servers: dict[str, ServerBinding] = {}  # noqa: RUF012 - the same
    arrangement: Document = {}  # noqa: RUF012 - the same
    folder: str = ""
    max_turns: int | None = None
    record: str = ""
    replay: str = ""
    vouched: tuple[str, ...] = ()
    reports_usage: bool = False
    reach: Document = {}  # noqa: RUF012 - the same
    sandbox: str = ""
    sensitive: tuple[str, ...] = ()
    retain: int = 0

    @property
    def asks_people(self) -> bool:
        """Whether an attempt may end because a person has to decide."""
        asks = any(self.arrangement.get(key) is True for key in ("ask_user", "plan_review", "approve"))
        return asks or self.arrangement.get("on_stall") == "ask" or any(tool.approve for tool in self.tools)

    @property
    def all_models(self) -> tuple[Model, ...]:
        """Every model that an attempt may ask."""
        return (*((self.model,) if self.model else ()), *self.models.values(), *self.fallbacks.values())

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The variables that hold keys, secret headers and servers' secrets: passed on, and masked."""
        keys = [variable for model in self.all_models for variable in model.variables]
        headers = [variable for server in self.servers.values() for variable in server.header_env.values()]
        secrets = [variable for server in self.servers.values() for variable in server.secret_env]
        own = self.arrangement.get("key_env", "")
        return tuple(dict.fromkeys((*keys, *headers, *secrets, *((own,) if isinstance(own, str) and own else ()))))

    @property
    def server_variables(self) -> tuple[str, ...]:
        """The variables that servers are given as they are."""
        return tuple(dict.fromkeys(variable for server in self.servers.values() for variable in server.env))


def unset_variable(model: Model) -> str:
    """Which variable of a model is not set; empty when all are."""
    if model.key_from and not os.environ.get(model.api_key_env):
        kind, _, place = model.key_from.partition(":")
        source = kind if kind == "command" else f"{kind} {place}"
        return f"model {model.name}: no key could be had from its {source}; see: workermd doctor"
    wanted = [(model.api_key_env, "the endpoint's key"), (model.proxy_env, "the proxy's address")]
    wanted += [(variable, f"the header {header}") for header, variable in model.headers.items()]
    for variable, what in wanted:
        if variable and not os.environ.get(variable):
            return f"model {model.name}: the variable {variable} is not set; it has to hold {what}"
    return ""


def without_keys(binding: Binding) -> Binding:
    """The same binding for a replay, which asks nobody: no variable has to be set."""
    return binding._replace(
        model=_without_variables(binding.model) if binding.model else None,
        models={name: _without_variables(model) for name, model in binding.models.items()},
        fallbacks={name: _without_variables(model) for name, model in binding.fallbacks.items()},
        servers={name: server._replace(header_env={}, secret_env=()) for name, server in binding.servers.items()},
    )


def _without_variables(model: Model) -> Model:
    return model._replace(api_key_env="", key_from="", headers={}, proxy_env="", ca_file="")
