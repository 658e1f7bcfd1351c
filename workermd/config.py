"""The operator's choices: defaults < file < environment < flags, each with where it came from (S6.1)."""

import os
from typing import Any, NamedTuple

from workermd.backend import KINDS, Binding
from workermd.errors import ConfigurationError

FILE_NAME = "workermd.toml"
PYPROJECT = "pyproject.toml"

_BINDING_KEYS = ("backend", "function", "command", "env", "secret_env", "retry_exit_codes", "settings")
_LINT_KEYS = ("select", "ignore")
_TOP_KEYS = ("ledger", "registry", "env", "secret_env", "workers", "modes", "lint")


class Settings(NamedTuple):
    """What a configuration file and the environment say. `origin` is the file's path, or empty."""

    origin: str = ""
    ledger: str = ""
    ledger_origin: str = ""
    registry: str = ""
    registry_origin: str = ""
    env: tuple[str, ...] = ()
    secret_env: tuple[str, ...] = ()
    workers: dict[str, Binding] = {}  # noqa: RUF012 - a frozen record's default, never mutated
    modes: dict[str, Binding] = {}  # noqa: RUF012 - the same
    lint_select: tuple[str, ...] = ()
    lint_ignore: tuple[str, ...] = ()


class Flags(NamedTuple):
    """The choices made on the command line; empty means not made."""

    backend: str = ""
    function: str = ""
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    secret_env: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    ledger: str = ""
    config: str = ""
    no_config: bool = False


def load(flags: Flags, folder: str = "") -> Settings:
    """Settings from the file (found from `folder`, by default the working directory, upward) and the environment.

    Raises ConfigurationError for a file that cannot be read or says what we do not know.
    """
    path = (
        "" if flags.no_config else flags.config or os.environ.get("WORKERMD_CONFIG", "") or _find(folder or os.getcwd())
    )
    settings = _read(path) if path else Settings()
    listed = os.environ.get("WORKERMD_ENV", "")
    settings = settings._replace(env=(*settings.env, *(name.strip() for name in listed.split(",") if name.strip())))
    if os.environ.get("WORKERMD_LEDGER"):
        settings = settings._replace(ledger=os.environ["WORKERMD_LEDGER"], ledger_origin="WORKERMD_LEDGER")
    if os.environ.get("WORKERMD_REGISTRY"):
        folder = os.path.abspath(os.environ["WORKERMD_REGISTRY"])
        settings = settings._replace(registry=folder, registry_origin="WORKERMD_REGISTRY")
    if flags.ledger:
        settings = settings._replace(ledger=flags.ledger, ledger_origin="--ledger")
    if not settings.ledger:
        settings = settings._replace(ledger=_state_ledger(), ledger_origin="the default")
    return settings._replace(ledger=os.path.abspath(settings.ledger))


def binding_for(worker_id: str, mode: str, settings: Settings, flags: Flags) -> Binding:
    """Which backend serves a worker: the flags, else its id, else its mode, else a worker of this package."""
    bound = _flag_binding(flags) or settings.workers.get(worker_id) or settings.modes.get(mode) or _shipped(worker_id)
    if bound is None:
        raise ConfigurationError(
            f"no backend is bound to worker {worker_id!r}"
            + (f" or mode {mode!r}" if mode else "")
            + (f" in {settings.origin}" if settings.origin else " and there is no workermd.toml"),
            "choose one: --backend function --function module:callable, or --backend command -- PROGRAM ARG…",
        )
    return bound._replace(
        env=_merged(settings.env, bound.env, flags.env),
        secret_env=_merged(settings.secret_env, bound.secret_env, flags.secret_env),
        settings={**bound.settings, **_flag_settings(flags.settings)},
    )


def _merged(*lists: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in lists for name in names))


def _flag_binding(flags: Flags) -> Binding | None:
    kind = flags.backend
    if not kind and flags.function:
        kind = "function"
    if not kind:
        if flags.command:
            raise ConfigurationError(
                "a program was given without --backend command", "put --backend command before the --"
            )
        return None
    return _checked(
        Binding(kind=kind, origin="the command line", function=flags.function, command=flags.command),
        "the command line",
    )


def _checked(binding: Binding, place: str) -> Binding:
    if binding.kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise ConfigurationError(
            f"{place}: unknown backend {binding.kind[:40]!r}; known: {known}", "choose one of these"
        )
    if binding.kind == "function" and not binding.function:
        raise ConfigurationError(f"{place}: backend 'function' names no function", "add --function module:callable")
    if binding.kind == "command" and not binding.command:
        raise ConfigurationError(f"{place}: backend 'command' names no program", "add it after --: -- PROGRAM ARG…")
    unused = "command" if binding.kind == "function" and binding.command else ""
    unused = "function" if binding.kind == "command" and binding.function else unused
    if unused:
        raise ConfigurationError(
            f"{place}: backend {binding.kind!r} takes no {unused}", f"remove it, or choose --backend {unused}"
        )
    return binding


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
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
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
            return b"[tool.workermd" in file.read()
    except OSError:
        return False


def _read(path: str) -> Settings:
    import tomllib

    try:
        with open(path, "rb") as file:
            document: dict[str, Any] = tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be read ({error.strerror})", "name another file with --config"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not TOML: {error}", "mend the file, or pass --no-config") from None
    if os.path.basename(path) == PYPROJECT:
        document = document.get("tool", {}).get("workermd", {})
    _only(document, _TOP_KEYS, path)
    ledger, registry = _text(document, "ledger", path), _text(document, "registry", path)
    beside = os.path.dirname(os.path.abspath(path))
    lint = document.get("lint", {})
    if not isinstance(lint, dict):
        raise ConfigurationError(f"{path}: lint is not a table", 'write [lint] and below it ignore = ["WM515"]')
    _only(lint, _LINT_KEYS, f"{path}: [lint]")
    return Settings(
        origin=path,
        ledger=os.path.join(beside, os.path.expanduser(ledger)) if ledger else "",
        ledger_origin=path if ledger else "",
        registry=os.path.join(beside, os.path.expanduser(registry)) if registry else "",
        registry_origin=path if registry else "",
        env=_words(document, "env", path),
        secret_env=_words(document, "secret_env", path),
        workers=_bindings(document, "workers", path),
        modes=_bindings(document, "modes", path),
        lint_select=_words(lint, "select", f"{path}: [lint]"),
        lint_ignore=_words(lint, "ignore", f"{path}: [lint]"),
    )


def _bindings(document: dict[str, Any], table: str, path: str) -> dict[str, Binding]:
    found = document.get(table, {})
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path}: {table} is not a table", f'write [{table}."NAME"]')
    return {name: _binding(fields, f"{path}: [{table}.{name}]") for name, fields in found.items()}


def _binding(fields: Any, place: str) -> Binding:
    if not isinstance(fields, dict):
        raise ConfigurationError(f"{place} is not a table", "give it at least: backend = …")
    _only(fields, _BINDING_KEYS, place)
    codes = fields.get("retry_exit_codes", [])
    if not isinstance(codes, list) or not all(isinstance(code, int) and 0 < code < 256 for code in codes):
        raise ConfigurationError(f"{place}: retry_exit_codes is not a list of codes", "write for example [3, 11]")
    settings = fields.get("settings", {})
    if not isinstance(settings, dict) or not _is_json(settings):
        raise ConfigurationError(f"{place}: settings is not a table of JSON values", "write settings = { folder = … }")
    kind = _text(fields, "backend", place) or ("function" if "function" in fields else "command")
    return _checked(
        Binding(
            kind=kind,
            origin=place,
            function=_text(fields, "function", place),
            command=_words(fields, "command", place),
            env=_words(fields, "env", place),
            secret_env=_words(fields, "secret_env", place),
            retry_exit_codes=tuple(codes),
            settings=settings,
        ),
        place,
    )


def _is_json(value: Any) -> bool:
    """TOML has dates, and inf and nan as numbers; a task gets JSON."""
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, str | bool | int) or (isinstance(value, float) and value - value == 0)


def _only(fields: dict[str, Any], known: tuple[str, ...], place: str) -> None:
    for name in fields:
        if name not in known:
            raise ConfigurationError(
                f"{place}: unknown key {name[:40]!r}; known: {', '.join(known)}", "remove or correct it"
            )


def _text(fields: dict[str, Any], name: str, place: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise ConfigurationError(f"{place}: {name} is not text", f'write {name} = "…"')
    return value


def _words(fields: dict[str, Any], name: str, place: str) -> tuple[str, ...]:
    value = fields.get(name, [])
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ConfigurationError(f"{place}: {name} is not a list of text", f'write {name} = ["…"]')
    return tuple(value)
