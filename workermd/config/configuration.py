"""The operator's choices: defaults < file < environment < flags, each with where it came from (S6.1)."""

import os
from typing import Any, NamedTuple

from workermd.config import keys
from workermd.config.prices import priced
from workermd.config.tables import (
    Named,
    binding,
    bindings,
    check_address,
    checked,
    count_of,
    models,
    only,
    servers,
    text_of,
    tools,
    vouched,
    with_server,
    words_of,
)
from workermd.protocol.address import is_address, refuse_password
from workermd.protocol.errors import ConfigurationError
from workermd.sandbox.fence import AUTO, MODES, STRICT
from workermd.sandbox.policy import Sandbox
from workermd.system import environment
from workermd.system.bounded import at_most
from workermd.system.environment import absolute
from workermd.task.binding import OPENAI, Binding, Model, ServerBinding, ToolBinding, without_keys
from workermd.task.task import KINDS

FILE_NAME = "workermd.toml"
PYPROJECT = "pyproject.toml"

MAX_INPUT_BYTES = 16 << 20
"""Of an input, where the configuration says nothing."""

_MOST_BYTES = 4 << 20

_LINT_KEYS = ("select", "ignore", "exclude")
_TOP_KEYS = (
    "ledger",
    "registry",
    "env",
    "secret_env",
    "max_input_bytes",
    "workers",
    "modes",
    "models",
    "tools",
    "servers",
    "lint",
    "sandbox",
)


class Settings(NamedTuple):
    """What a configuration file and the environment say. `origin` is the file's path, or empty."""

    origin: str = ""
    ledger: str = ""
    ledger_origin: str = ""
    registry: str = ""
    registry_origin: str = ""
    env: tuple[str, ...] = ()
    secret_env: tuple[str, ...] = ()
    max_input_bytes: int = MAX_INPUT_BYTES
    workers: dict[str, Binding] = {}  # noqa: RUF012 - a frozen record's default, never mutated
    modes: dict[str, Binding] = {}  # noqa: RUF012 - the same
    models: dict[str, Model] = {}  # noqa: RUF012 - the same
    servers: dict[str, ServerBinding] = {}  # noqa: RUF012 - the same
    tools: dict[str, ToolBinding] = {}  # noqa: RUF012 - the same
    lint_select: tuple[str, ...] = ()
    lint_ignore: tuple[str, ...] = ()
    lint_exclude: tuple[str, ...] = ()
    sandbox: str = ""


class Flags(NamedTuple):
    """The choices made on the command line; empty means not made."""

    backend: str = ""
    function: str = ""
    command: tuple[str, ...] = ()
    model: str = ""
    base_url: str = ""
    api_key_env: str = ""
    env: tuple[str, ...] = ()
    secret_env: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    vouch: tuple[str, ...] = ()
    record: str = ""
    replay: str = ""
    ledger: str = ""
    config: str = ""
    no_config: bool = False
    sandbox: str = ""


def load(flags: Flags, folder: str = "") -> Settings:
    """Settings from the file (found from `folder`, by default the working directory, upward) and the environment.

    Raises ConfigurationError for a file that cannot be read or says what we do not know.
    """
    variables = environment.variables()
    path = (
        ""
        if flags.no_config
        else flags.config or variables.get("WORKERMD_CONFIG", "") or _find(folder or absolute("."))
    )
    settings = _read(path) if path else Settings()
    listed = variables.get("WORKERMD_ENV", "")
    settings = settings._replace(env=(*settings.env, *(name.strip() for name in listed.split(",") if name.strip())))
    if ledger := variables.get("WORKERMD_LEDGER"):
        settings = settings._replace(ledger=ledger, ledger_origin="WORKERMD_LEDGER")
    if registry := variables.get("WORKERMD_REGISTRY"):
        folder = absolute(registry)
        settings = settings._replace(registry=folder, registry_origin="WORKERMD_REGISTRY")
    if flags.ledger:
        refuse_password(flags.ledger, "--ledger")
        settings = settings._replace(ledger=flags.ledger, ledger_origin="--ledger")
    if not settings.ledger:
        settings = settings._replace(ledger=_state_ledger(), ledger_origin="the default")
    return settings if is_address(settings.ledger) else settings._replace(ledger=absolute(settings.ledger))


def binding_of(fields: Any, settings: Settings, place: str) -> Binding:
    """A binding from the fields of a `[workers.ID]` table that stands nowhere. Raises ConfigurationError."""
    beside = os.path.dirname(os.path.abspath(settings.origin)) if settings.origin else absolute(".")
    return binding(fields, place, Named(settings.models, settings.tools, settings.servers, beside))


def binding_for(worker_id: str, mode: str, settings: Settings, flags: Flags, given: Binding | None = None) -> Binding:
    """Which backend serves a worker: the one that is given, else the flags, else its id, else its mode, else a worker of
    this package."""
    bound = (
        given
        or _flag_binding(flags, settings)
        or settings.workers.get(worker_id)
        or settings.modes.get(mode)
        or _shipped(worker_id)
    )
    bound = _replayed(bound, flags)
    if bound is None:
        raise ConfigurationError(
            f"no backend is bound to worker {worker_id!r}"
            + (f" or mode {mode!r}" if mode else "")
            + (f" in {settings.origin}" if settings.origin else " and there is no workermd.toml"),
            "choose one: --backend function --function module:callable, --backend command -- PROGRAM ARG…, or a kind with "
            "a model, such as --backend chat --model NAME",
        )
    if bound.replay:
        bound = without_keys(bound)
    return with_variables(bound, settings, flags)._replace(
        vouched=_merged(bound.vouched, vouched(flags.vouch, "--vouch")),
        record=absolute(flags.record) if flags.record else "",
        settings={**bound.settings, **_flag_settings(flags.settings)},
    )


def sandbox_for(binding: Binding, settings: Settings, flags: Flags) -> Sandbox:
    """What the attempts of a binding are held to: the flag, else the variable, else its own table, else the file.

    Without a choice it is `auto`, and `strict` where agents write code that is run: nobody has read that code, so that
    the file's choice for all workers is none for it (S10.10). A container engine needs what `strict` refuses.
    """
    places = (
        (flags.sandbox, "--sandbox"),
        (environment.variables().get("WORKERMD_SANDBOX", ""), "WORKERMD_SANDBOX"),
        (binding.sandbox, f"{binding.origin}: sandbox"),
        (STRICT if runs_code(binding) else "", ""),
        (settings.sandbox, f"sandbox in {settings.origin}"),
    )
    mode, place = next((each for each in places if each[0]), (AUTO, ""))
    if mode not in MODES:
        raise ConfigurationError(f"{place} is {mode!r}; allowed are {', '.join(MODES)}", "choose one of them")
    beside = binding.folder or absolute(".")
    return Sandbox(mode, settings.origin, binding.record, readable=(beside,))


def runs_code(binding: Binding) -> bool:
    """Whether agents write code that is run beside them, in no container."""
    return any(tool.code is not None and tool.code["executor"] == "local" for tool in binding.tools)


def with_variables(bound: Binding, settings: Settings, flags: Flags) -> Binding:
    """The binding with every variable that its attempts are given: its own, those for all, the flags', its keys.

    Keys that stand in files or in a keyring become variables of this process here.
    """
    keys.provide(bound.all_models)
    return bound._replace(
        env=_merged(settings.env, bound.env, flags.env),
        secret_env=_merged(settings.secret_env, bound.secret_env, flags.secret_env, bound.key_variables),
    )


def _merged(*lists: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in lists for name in names))


def _replayed(bound: Binding | None, flags: Flags) -> Binding | None:
    """A kind that converses replays its conversation; any other gives way to the kind `replay`."""
    if not flags.replay:
        return bound
    folder = absolute(flags.replay)
    if bound is None or not KINDS[bound.kind].converses:
        return Binding(kind="replay", origin="the command line", replay=folder)
    return bound._replace(replay=folder)


def _flag_binding(flags: Flags, settings: Settings) -> Binding | None:
    kind = flags.backend or ("function" if flags.function else "chat" if flags.model else "")
    if not kind:
        if flags.command:
            raise ConfigurationError(
                "a program was given without --backend command",
                "put --backend command, or mcp for an MCP server, before the --",
            )
        return None
    model = _flag_model(flags, settings)
    bound = Binding(
        kind=kind,
        origin="the command line",
        function=flags.function,
        command=flags.command,
        model=model,
        models={flags.model: model} if model and kind in KINDS and "models" in KINDS[kind].takes else {},
        fallbacks={name: settings.models[name] for name in model.fallback} if model else {},
        folder=_module_folder(flags.function, settings),
        arrangement={"address": flags.base_url, "key_env": flags.api_key_env} if kind == "http" else {},
    )
    bound = checked(bound, "the command line")
    return with_server(bound, flags.base_url, settings.servers, "the command line")


def _module_folder(function: str, settings: Settings) -> str:
    """Where the module of a function on the command line is looked for (S6.2): the working directory goes first, as it
    does for Python; a call from a folder further down finds what the configuration would."""
    here = absolute(".")
    beside = os.path.dirname(os.path.abspath(settings.origin)) if settings.origin else here
    module = function.partition(":")[0].partition(".")[0]
    found = (folder for folder in (here, beside) if module and _holds_module(folder, module))
    return next(found, here)


def _holds_module(folder: str, module: str) -> bool:
    path = os.path.join(folder, module)
    return os.path.isfile(f"{path}.py") or os.path.isdir(path)


def _flag_model(flags: Flags, settings: Settings) -> Model | None:
    """The model of the flags: one of the configuration by its name, or one that they describe."""
    if not flags.model:
        if flags.backend == "http":
            return None
        serves_itself = flags.backend in KINDS and "server" in KINDS[flags.backend].keys and not flags.api_key_env
        if not serves_itself and (flags.base_url or flags.api_key_env):
            raise ConfigurationError("--base-url and --api-key-env describe a model", "add --model NAME")
        return None
    if flags.model in settings.models and not flags.base_url:
        named = settings.models[flags.model]
        return named._replace(api_key_env=flags.api_key_env or named.api_key_env)
    base_url = flags.base_url or OPENAI
    check_address(base_url, "--base-url")
    return priced(Model(flags.model, base_url, flags.api_key_env or ("OPENAI_API_KEY" if base_url == OPENAI else "")))


def _flag_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`KEY=VALUE` pairs; a VALUE that is JSON is taken as JSON, anything else as text."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ConfigurationError("--setting takes KEY=VALUE", "write for example --setting folder=data")
        import json

        try:
            settings[key] = json.loads(value)
        except ValueError:
            settings[key] = value
    return settings


def _shipped(worker_id: str) -> Binding | None:
    from workermd.workers import SHIPPED

    function = SHIPPED.get(worker_id)
    return Binding(kind="function", origin="shipped with workermd", function=function) if function else None


def _state_ledger() -> str:
    variables = environment.variables()
    own = variables.get("HOME") or os.path.expanduser("~")
    home = variables.get("XDG_STATE_HOME") or os.path.join(own, ".local", "state")
    return os.path.join(home, "workermd", "ledger.db")


def _find(folder: str) -> str:
    """The nearest configuration, up to the root of the repository or of the file system."""
    while True:
        path = os.path.join(folder, FILE_NAME)
        if os.path.isfile(path):
            return path
        path = os.path.join(folder, PYPROJECT)
        if os.path.isfile(path) and _mentions_us(path):
            return path
        parent = os.path.dirname(folder)
        if parent == folder or os.path.exists(os.path.join(folder, ".git")):
            return ""
        folder = parent


def _mentions_us(path: str) -> bool:
    """A cheap look: most pyproject files say nothing of us, and a TOML reader costs as much as an interpreter start."""
    try:
        with open(path, "rb") as file:
            return b"[tool.workermd" in at_most(file, _MOST_BYTES)
    except OSError:
        return False


def _read(path: str) -> Settings:
    from workermd.system import toml  # most calls find no configuration

    try:
        with open(path, "rb") as file:
            data = at_most(file, _MOST_BYTES)
        if len(data) > _MOST_BYTES:
            raise ConfigurationError(f"{path}: larger than {_MOST_BYTES} bytes", "name another file with --config")
        document: dict[str, Any] = toml.parsed(data.decode())
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror})", "name another file with --config"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}", "mend the file, or pass --no-config") from None
    if os.path.basename(path) == PYPROJECT:
        document = document.get("tool", {}).get("workermd", {})
    only(document, _TOP_KEYS, path)
    ledger, registry = text_of(document, "ledger", path), text_of(document, "registry", path)
    beside = os.path.dirname(os.path.abspath(path))
    named = Named(models(document, path), tools(document, path), servers(document, path), beside)
    lint = document.get("lint", {})
    if not isinstance(lint, dict):
        raise ConfigurationError(f"{path}: lint is not a table", 'write [lint] and below it ignore = ["WM515"]')
    only(lint, _LINT_KEYS, f"{path}: [lint]")
    return Settings(
        origin=path,
        ledger=ledger if is_address(ledger) else os.path.join(beside, os.path.expanduser(ledger)) if ledger else "",
        ledger_origin=path if ledger else "",
        registry=os.path.join(beside, os.path.expanduser(registry)) if registry else "",
        registry_origin=path if registry else "",
        env=words_of(document, "env", path),
        secret_env=words_of(document, "secret_env", path),
        max_input_bytes=count_of(document, "max_input_bytes", path) or MAX_INPUT_BYTES,
        workers=bindings(document, "workers", path, named),
        modes=bindings(document, "modes", path, named),
        models=named.models,
        servers=named.servers,
        tools=named.tools,
        lint_select=words_of(lint, "select", f"{path}: [lint]"),
        lint_ignore=words_of(lint, "ignore", f"{path}: [lint]"),
        lint_exclude=words_of(lint, "exclude", f"{path}: [lint]"),
        sandbox=text_of(document, "sandbox", path),
    )
