"""What an operator binds to a worker: a kind of backend and all that it needs (S6.1). Names of variables, never values."""

from typing import NamedTuple

from workermd.protocol.envelope import Document

OPENAI = "https://api.openai.com/v1"
"""The endpoint of a model for which none is named."""


class Model(NamedTuple):
    """A model behind an endpoint that speaks OpenAI's chat completions. The key is known by its variable only.

    `structured` says how an answer's shape is asked for: `schema`, `json`, `text`, or `auto`, which begins with
    the first and falls back where the endpoint cannot. `options` are sent with every request as they are.
    `api_version` makes the requests those of an Azure deployment. Prices are US dollars for a million tokens.
    """

    name: str
    base_url: str = OPENAI
    api_key_env: str = ""
    structured: str = "auto"
    api_version: str = ""
    options: Document = {}  # noqa: RUF012 - a frozen record's default, never mutated
    input_price: float | None = None
    output_price: float | None = None


class ToolBinding(NamedTuple):
    """A tool that agents may call. Exactly one of `function`, `server` and `code` says what it is.

    `function` is `module:callable` or an entry point; `server` names an MCP server, of which `tool` (default: the
    name) is meant; `code` is the settings of a code executor. `allow` are patterns, `name(argument=pattern, …)`, of
    which one must fit a call; without any, every call of this tool fits. With `approve` a person decides each call.
    """

    name: str
    function: str = ""
    server: str = ""
    tool: str = ""
    code: Document | None = None
    description: str = ""
    allow: tuple[str, ...] = ()
    approve: bool = False


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
    `models` are further models by the names that `arrangement`, the kind's own keys, calls them by.
    `folder` is where the configuration stands: paths in `arrangement` are relative to it. `record` and `replay` are
    folders that an attempt is kept in or given back from.
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
    tools: tuple[ToolBinding, ...] = ()
    servers: dict[str, ServerBinding] = {}  # noqa: RUF012 - the same
    arrangement: Document = {}  # noqa: RUF012 - the same
    folder: str = ""
    max_turns: int | None = None
    record: str = ""
    replay: str = ""

    @property
    def asks_people(self) -> bool:
        """Whether an attempt may end because a person has to decide."""
        asks = any(self.arrangement.get(key) is True for key in ("ask_user", "plan_review", "approve"))
        return asks or self.arrangement.get("on_stall") == "ask" or any(tool.approve for tool in self.tools)

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The variables that hold keys, secret headers and servers' secrets: passed on, and masked."""
        models = [self.model] if self.model else []
        keys = [model.api_key_env for model in (*models, *self.models.values()) if model.api_key_env]
        headers = [variable for server in self.servers.values() for variable in server.header_env.values()]
        secrets = [variable for server in self.servers.values() for variable in server.secret_env]
        return tuple(dict.fromkeys((*keys, *headers, *secrets)))

    @property
    def server_variables(self) -> tuple[str, ...]:
        """The variables that servers are given as they are."""
        return tuple(dict.fromkeys(variable for server in self.servers.values() for variable in server.env))


def without_keys(binding: Binding) -> Binding:
    """The same binding for a replay, which asks nobody: no variable has to be set."""
    return binding._replace(
        model=binding.model._replace(api_key_env="") if binding.model else None,
        models={name: model._replace(api_key_env="") for name, model in binding.models.items()},
        servers={name: server._replace(header_env={}, secret_env=()) for name, server in binding.servers.items()},
    )
