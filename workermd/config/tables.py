"""Tables of the configuration become bindings: models, tools, MCP servers, and what a worker is bound to."""

import os
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from workermd.config import keys
from workermd.config.prices import priced
from workermd.protocol import reach, tool_pattern
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import OPENAI, OWN_SERVER, Binding, Model, ServerBinding, ToolBinding
from workermd.task.task import KINDS

_BINDING_KEYS = (
    "backend",
    "env",
    "secret_env",
    "settings",
    "max_turns",
    "vouched",
    "reports_usage",
    "sandbox",
    "sensitive",
    "retain",
)
VOUCHABLE = ("max_tokens", "max_cost_usd", "max_tool_calls", "max_turns", "tools_allowed", "rate_limit")
"""Bounds that an operator may vouch for; never those of time and attempts, nor the key (S3.6)."""
_MODEL_KEYS = ("model", "base_url", "api_key_env", "structured", "api_version", "options", "price")
_KEY_KEYS = ("api_key_env", "api_key_file", "api_key_keyring", "api_key_command", "bearer")
_DIALECT_KEYS = ("names", "system", "merge_roles", "stream")
_WAY_KEYS = ("headers", "ca_file", "proxy_env", "fallback", "provider")
_OWN_WIRE_KEYS = ("api_version", "headers", "ca_file", "proxy_env", "stream")
_SYSTEM_ROLES = ("system", "developer", "user")
_TOOL_KEYS = ("function", "server", "tool", "code", "description", "allow", "approve", "repeatable")
_SERVER_KEYS = ("command", "url", "env", "secret_env", "header_env")
_CODE_KEYS = ("executor", "languages", "timeout", "python", "image")
_EXECUTORS = ("local", "docker")
_LANGUAGES = ("python", "sh", "bash")
_STRUCTURED = ("auto", "schema", "json", "text")


_PINNED = re.compile(r"[a-z0-9][A-Za-z0-9._/:-]*@sha256:[0-9a-f]{64}")
"""An image by its digest: a tag is another program tomorrow."""

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


class Named(NamedTuple):
    """What bindings may call by name, and the folder of the configuration."""

    models: dict[str, Model]
    tools: dict[str, ToolBinding]
    servers: dict[str, ServerBinding]
    folder: str


def bindings(document: dict[str, Any], table: str, path: str, named: Named) -> dict[str, Binding]:
    return {
        name: binding(fields, f"{path}: [{table}.{name}]", named) for name, fields in _tables(document, table, path)
    }


def models(document: dict[str, Any], path: str) -> dict[str, Model]:
    """The models of `[models.NAME]`. Raises ConfigurationError."""
    found = {
        name: _model(fields, f"{path}: [models.{name}]", os.path.dirname(path))
        for name, fields in _tables(document, "models", path)
    }
    for name, model in found.items():
        for other in model.fallback:
            if other == name:
                raise ConfigurationError(f"{path}: [models.{name}]: fallback names itself", "name another model")
            _one_of(other, found, "models", f"{path}: [models.{name}]: fallback")
    return found


def tools(document: dict[str, Any], path: str) -> dict[str, ToolBinding]:
    """The tools of `[tools.NAME]`. Raises ConfigurationError."""
    return {name: _tool(name, fields, f"{path}: [tools.{name}]") for name, fields in _tables(document, "tools", path)}


def servers(document: dict[str, Any], path: str) -> dict[str, ServerBinding]:
    """The MCP servers of `[servers.NAME]`. Raises ConfigurationError."""
    return {
        name: _server(name, fields, f"{path}: [servers.{name}]") for name, fields in _tables(document, "servers", path)
    }


def checked(binding: Binding, place: str) -> Binding:
    """The binding, if its kind exists and it has what that kind needs and nothing else. Raises ConfigurationError."""
    if binding.kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise ConfigurationError(
            f"{place}: unknown backend {binding.kind[:40]!r}; known: {known}",
            near(binding.kind, KINDS) or "choose one of these",
        )
    takes = KINDS[binding.kind].takes
    if binding.kind == "function" and not binding.function:
        raise ConfigurationError(f"{place}: backend 'function' names no function", "add --function module:callable")
    if binding.kind == "command" and not binding.command:
        raise ConfigurationError(f"{place}: backend 'command' names no program", "add it after --: -- PROGRAM ARG…")
    if binding.kind == "program" and not binding.command:
        raise ConfigurationError(f"{place}: backend 'program' names no program", "add it after --: -- PROGRAM")
    if "model" in takes and binding.model is None:
        raise ConfigurationError(
            f"{place}: backend {binding.kind!r} names no model",
            "add --model NAME, with --base-url URL and --api-key-env VARIABLE where it is not OpenAI's",
        )
    image = binding.arrangement.get("image") if binding.kind == "command" else None
    if image is not None and not (isinstance(image, str) and _PINNED.fullmatch(image)):
        raise ConfigurationError(
            f"{place}: image is not named by its digest", 'write image = "docker.io/library/python@sha256:…"'
        )
    for field in ("function", "command", "model", "models", "tools"):
        if getattr(binding, field) and field not in takes:
            other = next((kind for kind, row in KINDS.items() if field in row.takes), "")
            raise ConfigurationError(
                f"{place}: backend {binding.kind!r} takes no {field}", f"remove it, or choose --backend {other}"
            )
    return binding


def with_server(binding: Binding, base_url: str, named: dict[str, ServerBinding], place: str) -> Binding:
    """The binding with the server that it describes itself, by a program or an address, or that it names. Only a kind
    with the key `server` has one. Raises ConfigurationError."""
    row = KINDS.get(binding.kind)
    if row is None or "server" not in row.keys:
        return binding
    name = text_of(binding.arrangement, "server", place)
    ways = [
        way for way, given in zip(_SERVER_WAYS, (binding.command, base_url, name, binding.tools), strict=True) if given
    ]
    if len(ways) != 1:
        raise ConfigurationError(
            f"{place}: backend {binding.kind!r} names {' and '.join(ways) or 'no server'}",
            "name one: -- PROGRAM ARG…, --base-url URL, or in the configuration server = … or tools = […]",
        )
    _own_keys(binding.arrangement, place)
    if binding.tools:
        strange = next((tool.name for tool in binding.tools if not tool.server), "")
        if strange:
            raise ConfigurationError(f"{place}: [tools.{strange}] is no tool of a server", "give it server = …")
        return binding
    if base_url:
        check_address(base_url, f"{place}: base_url", "http://127.0.0.1:8000/mcp", query=True)
    server = _one_of(name, named, "servers", place) if name else ServerBinding(OWN_SERVER, binding.command, base_url)
    return binding._replace(servers={server.name: server}, arrangement={**binding.arrangement, "server": server.name})


_SERVER_WAYS = ("a program", "an address", "a server", "tools")


def _own_keys(arrangement: dict[str, Any], place: str) -> None:
    """The kind mcp's own keys have their types."""
    text_of(arrangement, "tool", place)
    _patterns(arrangement, place)
    for name in ("approve", "retry_errors"):
        if not isinstance(arrangement.get(name, False), bool):
            raise ConfigurationError(f"{place}: {name} is not true or false", f"write {name} = true")


def binding(fields: Any, place: str, named: Named) -> Binding:
    """One binding of a table's fields; `place` says where they stand. Raises ConfigurationError."""
    _table(fields, place, "give it at least: backend = …")
    kind = text_of(fields, "backend", place) or _kind_by(fields)
    row = KINDS.get(kind)
    known = (
        *_BINDING_KEYS,
        *reach.NAMES,
        "function",
        "command",
        "retry_exit_codes",
        *_MODEL_KEYS[:3],
        "models",
        "tools",
    )
    only(fields, (*known, *sorted(row.keys if row else ())), place)
    codes = fields.get("retry_exit_codes", [])
    if not isinstance(codes, list) or not all(isinstance(code, int) and 0 < code < 256 for code in codes):
        raise ConfigurationError(f"{place}: retry_exit_codes is not a list of codes", "write for example [3, 11]")
    chosen = tuple(_one_of(name, named.tools, "tools", place) for name in words_of(fields, "tools", place))
    model = _bound_model(fields, place, named)
    own = {text_of(fields, "model", place): model} if model else {}
    further = own | {name: _one_of(name, named.models, "models", place) for name in words_of(fields, "models", place)}
    bound = checked(
        Binding(
            kind=kind,
            origin=place,
            function=text_of(fields, "function", place),
            command=words_of(fields, "command", place),
            env=words_of(fields, "env", place),
            secret_env=words_of(fields, "secret_env", place),
            retry_exit_codes=tuple(codes),
            settings=_json_table(fields, "settings", place),
            model=model,
            models=further,
            fallbacks=_fallbacks((*((model,) if model else ()), *further.values()), named),
            tools=chosen,
            servers={
                tool.server: _one_of(tool.server, named.servers, "servers", place) for tool in chosen if tool.server
            },
            arrangement=_json_table(
                {"own": {key: fields[key] for key in sorted(row.keys) if key in fields}}, "own", place
            )
            if row
            else {},
            folder=named.folder,
            max_turns=count_of(fields, "max_turns", place),
            vouched=vouched(words_of(fields, "vouched", place), place),
            reports_usage=_reports_usage(fields, kind, place),
            reach=_reach(fields, place, named.folder),
            sandbox=text_of(fields, "sandbox", place),
            sensitive=_sensitive(fields, place),
            retain=_retain(fields, place),
        ),
        place,
    )
    return with_server(bound, text_of(fields, "base_url", place), named.servers, place)


def _reach(fields: dict[str, Any], place: str, folder: str) -> dict[str, Any]:
    """The operator's own bounds of S3.12, and the paths that needs of a contract are granted by name (S10.9)."""
    found: dict[str, Any] = {name: fields[name] for name in reach.COUNTS if count_of(fields, name, place) is not None}
    if (network := fields.get("network")) is not None:
        listed = isinstance(network, list) and network and all(isinstance(each, str) for each in network)
        hosts = [reach.host_of(each) for each in network] if listed else []
        if network not in (reach.NONE, reach.LOOPBACK) and (not hosts or None in hosts):
            raise ConfigurationError(
                f"{place}: network is neither none, nor loopback, nor a list of hosts with their ports",
                'write for example network = ["api.example.com:443"]',
            )
        found["network"] = hosts or network
    if files := _json_table(fields, "files", place):
        for name, path in files.items():
            if not isinstance(path, str) or not path or reach.need_of(f"read({name})") is None:
                raise ConfigurationError(
                    f"{place}: files: {name[:40]!r} is no name with a path", 'write files = { rulebook = "/srv/rules" }'
                )
        found["files"] = {name: os.path.join(folder, os.path.expanduser(path)) for name, path in files.items()}
    return found


def _fallbacks(models: tuple[Model, ...], named: Named) -> dict[str, Model]:
    """The models that others name for the case that they fail. A fallback's own fallbacks are not asked."""
    return {name: named.models[name] for model in models for name in model.fallback}


def _kind_by(fields: dict[str, Any]) -> str:
    """The kind where none is said: by what is there."""
    return next((kind for field, kind in (("function", "function"), ("model", "chat")) if field in fields), "command")


def _bound_model(fields: dict[str, Any], place: str, named: Named) -> Model | None:
    """`model` names a table of models; with `base_url` or `api_key_env` beside it, it is what the endpoint calls it."""
    name = text_of(fields, "model", place)
    if not name:
        return None
    if name in named.models and "base_url" not in fields:
        return named.models[name]
    return _model({key: fields[key] for key in _MODEL_KEYS[:3] if key in fields}, place)


def _model(fields: Any, place: str, folder: str = "") -> Model:
    _table(fields, place, 'give it at least: model = "…"')
    only(fields, (*_MODEL_KEYS, *_KEY_KEYS[1:], *_DIALECT_KEYS, *_WAY_KEYS), place)
    name = text_of(fields, "model", place)
    if not name:
        raise ConfigurationError(f"{place}: names no model", 'add model = "…", as the endpoint calls it')
    base_url = text_of(fields, "base_url", place) or OPENAI
    check_address(base_url, f"{place}: base_url")
    structured = text_of(fields, "structured", place) or "auto"
    if structured not in _STRUCTURED:
        raise ConfigurationError(f"{place}: structured is none of {', '.join(_STRUCTURED)}", "choose one of these")
    provider = _provider(fields, place)
    price = fields.get("price", {})
    key_from = _key_from(fields, place, folder)
    variable = keys.variable_for(key_from) if key_from else text_of(fields, "api_key_env", place)
    model = Model(
        name,
        base_url,
        variable or ("OPENAI_API_KEY" if base_url == OPENAI and not provider else ""),
        structured,
        text_of(fields, "api_version", place),
        _json_table(fields, "options", place),
        *_price(price, place),
        names=_flag(fields, "names", place, otherwise=True),
        system=_system(fields, place),
        merge_roles=_flag(fields, "merge_roles", place),
        stream=_flag(fields, "stream", place),
        headers=_variables(fields, "headers", place),
        ca_file=os.path.join(folder, ca_file) if (ca_file := text_of(fields, "ca_file", place)) else "",
        proxy_env=text_of(fields, "proxy_env", place),
        fallback=words_of(fields, "fallback", place),
        provider=provider,
        key_from=key_from,
        bearer=_flag(fields, "bearer", place),
    )
    return priced(model)


def _provider(fields: dict[str, Any], place: str) -> str:
    """Another interface than OpenAI's. What means something to our own requests only does not go with it."""
    provider = text_of(fields, "provider", place)
    if provider and (strange := [key for key in _OWN_WIRE_KEYS if key in fields]):
        raise ConfigurationError(
            f"{place}: provider = {provider[:40]!r} does not go with {' and '.join(strange)}",
            "leave these out, or provider",
        )
    return provider


def _key_from(fields: dict[str, Any], place: str, folder: str) -> str:
    """Where the key stands, if not in a variable. A file's path is relative to the configuration."""
    given = [key for key in _KEY_KEYS if key in fields and key != "bearer"]
    if len(given) > 1:
        raise ConfigurationError(f"{place}: names {' and '.join(given)}", "name one of them")
    if path := text_of(fields, "api_key_file", place):
        return f"{keys.FILE}:{os.path.join(folder, os.path.expanduser(path))}"
    if named := text_of(fields, "api_key_keyring", place):
        if not all(named.rpartition("/")[::2]):
            raise ConfigurationError(
                f"{place}: api_key_keyring is no SERVICE/USER", 'write api_key_keyring = "workermd/openai"'
            )
        return f"{keys.KEYRING}:{named}"
    if words := words_of(fields, "api_key_command", place):
        return keys.of_command(words, folder)
    return ""


def _system(fields: dict[str, Any], place: str) -> str:
    """The role by which the system prompt goes."""
    role = text_of(fields, "system", place) or "system"
    if role not in _SYSTEM_ROLES:
        allowed = ", ".join(_SYSTEM_ROLES)
        raise ConfigurationError(f"{place}: system: found {role[:40]!r}; allowed are {allowed}", "choose one of these")
    return role


def _flag(fields: dict[str, Any], name: str, place: str, *, otherwise: bool = False) -> bool:
    value = fields.get(name, otherwise)
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"{place}: {name} is not true or false", f"write {name} = {str(not otherwise).lower()}"
        )
    return value


def _variables(fields: dict[str, Any], name: str, place: str) -> dict[str, Any]:
    """HTTP headers with the variables that hold their values."""
    headers = _json_table(fields, name, place)
    for header, variable in headers.items():
        if not isinstance(variable, str) or not variable or not _HEADER.fullmatch(header):
            raise ConfigurationError(
                f"{place}: {name}: {header[:40]!r} is no header with the name of a variable",
                f'write {name} = {{ X-Team = "VARIABLE" }}; the value stands in the variable',
            )
    return headers


def _price(price: Any, place: str) -> tuple[float | None, float | None]:
    """US dollars for a million input and output tokens."""
    if price == {}:
        return None, None
    if isinstance(price, dict) and set(price) == {"input", "output"}:
        given = price["input"], price["output"]
        if all(isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one <= 10**9 for one in given):
            return float(given[0]), float(given[1])
    raise ConfigurationError(
        f"{place}: price is not a table of two numbers",
        "write price = { input = 0.4, output = 1.6 }, US dollars for a million tokens",
    )


def _tool(name: str, fields: Any, place: str) -> ToolBinding:
    _table(fields, place, 'give it at least: function = "module:callable"')
    only(fields, _TOOL_KEYS, place)
    code = fields.get("code")
    what = [key for key in ("function", "server", "code") if key in fields]
    if len(what) != 1:
        raise ConfigurationError(f"{place}: names {len(what)} of function, server, code", "name exactly one of them")
    for key in ("approve", "repeatable"):
        if not isinstance(fields.get(key, False), bool):
            raise ConfigurationError(f"{place}: {key} is not true or false", f"write {key} = true")
    return ToolBinding(
        name=name,
        function=text_of(fields, "function", place),
        server=text_of(fields, "server", place),
        tool=text_of(fields, "tool", place),
        code=None if code is None else _code(_json_table(fields, "code", place), f"{place}: code"),
        description=text_of(fields, "description", place),
        allow=_patterns(fields, place),
        approve=fields.get("approve", False),
        repeatable=fields.get("repeatable", False),
    )


def _code(fields: dict[str, Any], place: str) -> dict[str, Any]:
    """The settings of a code executor, complete. There is no default for where code runs."""
    only(fields, _CODE_KEYS, place)
    executor = text_of(fields, "executor", place)
    if executor not in _EXECUTORS:
        raise ConfigurationError(
            f"{place}: executor is none of {', '.join(_EXECUTORS)}", 'write code = { executor = "docker" }'
        )
    languages = words_of(fields, "languages", place) or ("python",)
    if strange := [language for language in languages if language not in _LANGUAGES]:
        raise ConfigurationError(
            f"{place}: languages has {strange[0][:40]!r}; known: {', '.join(_LANGUAGES)}", "remove or correct it"
        )
    return {
        "executor": executor,
        "languages": list(languages),
        "timeout": count_of(fields, "timeout", place) or 20,
        "python": text_of(fields, "python", place),
        "image": text_of(fields, "image", place) or "python:3-slim",
    }


def _patterns(fields: dict[str, Any], place: str) -> tuple[str, ...]:
    """Patterns of allowed calls. One that cannot be read would allow nothing in silence."""
    texts = words_of(fields, "allow", place)
    for text in texts:
        try:
            tool_pattern.read(text)
        except tool_pattern.MalformedPattern as error:
            raise ConfigurationError(
                f"{place}: allow has {text[:60]!r}, which is no pattern: {error}",
                'write for example allow = ["read(path=docs/*)"]',
            ) from None
    return texts


def _server(name: str, fields: Any, place: str) -> ServerBinding:
    _table(fields, place, 'give it command = ["…"] or url = "…"')
    only(fields, _SERVER_KEYS, place)
    command, url = words_of(fields, "command", place), text_of(fields, "url", place)
    if bool(command) == bool(url):
        raise ConfigurationError(f"{place}: names both or neither of command and url", "name exactly one of them")
    if url:
        check_address(url, f"{place}: url", "http://127.0.0.1:8000/mcp", query=True)
    headers = _variables(fields, "header_env", place)
    return ServerBinding(
        name, command, url, words_of(fields, "env", place), words_of(fields, "secret_env", place), headers
    )


def check_address(url: str, place: str, example: str = "http://127.0.0.1:8000/v1", *, query: bool = False) -> None:
    """Raises ConfigurationError for what is no address of an endpoint, or holds a secret; nothing of it is told."""
    if url == OPENAI:
        return
    from urllib.parse import urlsplit

    fault = ""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            fault = "is no http address"
        elif not url.isascii() or not url.isprintable() or " " in url:
            fault = "has characters that no address has"
        elif "@" in parts.netloc:
            fault = "has a user or a password in it; a key is known by the name of its variable"
        elif parts.fragment or (parts.query and not query):
            fault = "has more than scheme, host, port and path"
    except ValueError:
        fault = "is no http address"
    if fault:
        raise ConfigurationError(f"{place} {fault}", f'write for example "{example}"')


def _one_of(name: str, known: dict[str, Any], table: str, place: str) -> Any:
    if name not in known:
        there = ", ".join(sorted(known)) or "none"
        raise ConfigurationError(f"{place}: [{table}.{name[:40]}] is not there; known: {there}", "add or correct it")
    return known[name]


def vouched(names: tuple[str, ...], place: str) -> tuple[str, ...]:
    """The names, each of a bound that may be vouched for. Raises ConfigurationError."""
    for name in names:
        if name not in VOUCHABLE:
            raise ConfigurationError(
                f"{place}: nobody can vouch for {name[:40]!r}; that is for: {', '.join(VOUCHABLE)}", "remove it"
            )
    return names


_POINTER = re.compile(r"(/([^~/]|~[01])*)+")
_SPAN = re.compile(r"(\d{1,6})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


def _sensitive(fields: dict[str, Any], place: str) -> tuple[str, ...]:
    """JSON Pointers into the input."""
    pointers = words_of(fields, "sensitive", place)
    for pointer in pointers:
        if not _POINTER.fullmatch(pointer):
            raise ConfigurationError(
                f"{place}: sensitive has {pointer[:40]!r}, which is no JSON Pointer",
                'write for example ["/customer/email"]',
            )
    return pointers


def _retain(fields: dict[str, Any], place: str) -> int:
    """A span in seconds; 0 where nothing is said."""
    text = text_of(fields, "retain", place)
    if not text:
        return 0
    found = _SPAN.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ConfigurationError(f"{place}: retain is {text[:40]!r}", 'write a number and h, d or w: retain = "30d"')
    return int(found[1]) * _HOURS[found[2]] * 3600


def _reports_usage(fields: dict[str, Any], kind: str, place: str) -> bool:
    value = fields.get("reports_usage", False)
    if not isinstance(value, bool):
        raise ConfigurationError(f"{place}: reports_usage is not true or false", "write reports_usage = true")
    if value and kind in KINDS and not KINDS[kind].reports:
        raise ConfigurationError(f"{place}: backend {kind!r} counts its usage itself", "remove reports_usage")
    return value


def _tables(document: dict[str, Any], table: str, path: str) -> list[tuple[str, Any]]:
    found = document.get(table, {})
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path}: {table} is not a table", f'write [{table}."NAME"]')
    return list(found.items())


def _table(fields: Any, place: str, hint: str) -> None:
    if not isinstance(fields, dict):
        raise ConfigurationError(f"{place} is not a table", hint)


def _json_table(fields: dict[str, Any], name: str, place: str) -> dict[str, Any]:
    table = fields.get(name, {})
    if not isinstance(table, dict) or not _is_json(table):
        raise ConfigurationError(f"{place}: {name} is not a table of JSON values", f"write {name} = {{ folder = … }}")
    return table


def count_of(fields: dict[str, Any], name: str, place: str) -> int | None:
    """A number from 1, None where it is not given. Raises ConfigurationError."""
    value = fields.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ConfigurationError(f"{place}: {name} is not a count", f"write {name} = 10")
    return value


def _is_json(value: Any) -> bool:
    """TOML has dates, and inf and nan as numbers; a task gets JSON."""
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, str | bool | int) or (isinstance(value, float) and value - value == 0)


def only(fields: dict[str, Any], known: tuple[str, ...], place: str) -> None:
    """Raises ConfigurationError for a key that is not known."""
    for name in fields:
        if name not in known:
            raise ConfigurationError(
                f"{place}: unknown key {name[:40]!r}; known: {', '.join(known)}",
                near(name, known) or "remove or correct it",
            )


def near(word: str, known: Iterable[str]) -> str:
    """A question for a mistyped word; empty where none is near."""
    from difflib import get_close_matches

    found = get_close_matches(word[:40], known, 1, 0.75)
    return f"did you mean {found[0]}?" if found else ""


def text_of(fields: dict[str, Any], name: str, place: str) -> str:
    """A text, empty where it is not given. Raises ConfigurationError."""
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise ConfigurationError(f"{place}: {name} is not text", f'write {name} = "…"')
    return value


def words_of(fields: dict[str, Any], name: str, place: str) -> tuple[str, ...]:
    """A list of texts, empty where it is not given. Raises ConfigurationError."""
    value = fields.get(name, [])
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ConfigurationError(f"{place}: {name} is not a list of text", f'write {name} = ["…"]')
    return tuple(value)
