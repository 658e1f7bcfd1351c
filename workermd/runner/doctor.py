"""`workermd doctor`: what is installed, what the configuration says and where it came from, and whether it would work.

A binding is tried as a run would begin: its backend, and the module of its function, are loaded in an attempt's own
process, which is then ended. No task is called. Of a key only the variable's name is told.
"""

import importlib.metadata
import os
import sys
import urllib.error
import urllib.request
from typing import NamedTuple

from workermd import __version__
from workermd.config import keys
from workermd.config.configuration import Flags, Settings, with_variables
from workermd.ledger.opening import open_to_read
from workermd.protocol.address import masked
from workermd.protocol.envelope import Document
from workermd.protocol.errors import LedgerUnavailable
from workermd.runner import trial
from workermd.sandbox import probe
from workermd.task.binding import Binding, Model
from workermd.task.task import KINDS

PATIENCE = 3.0
"""Seconds that an endpoint has to answer."""

EXTRAS: dict[str, tuple[str, ...]] = {
    "agentchat": ("autogen-agentchat", "autogen-ext", "openai"),
    "ag2": ("ag2", "openai"),
    "agent-framework": (
        "agent-framework-core",
        "agent-framework-openai",
        "agent-framework-orchestrations",
        "agent-framework-declarative",
        "openai",
    ),
    "mcp": ("mcp",),
    "otel": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
    "derive": ("httpx", "hishel"),
    "lsp": ("pygls",),
    "keyring": ("keyring",),
    "serve": ("starlette", "uvicorn"),
    "studio": ("starlette", "uvicorn", "jinja2"),
    "workers": ("httpx", "ruff", "selectolax"),
}
"""The extras of this package and what each of them installs."""


class Examined(NamedTuple):
    """`document` is what `--json` prints; `problems` are sentences, none when everything would work."""

    document: Document
    problems: tuple[str, ...]


def examine(settings: Settings, *, offline: bool) -> Examined:
    """Look at everything. `offline` asks no endpoint."""
    problems: list[str] = []
    models = {name: _model(name, model, problems, offline=offline) for name, model in sorted(_models(settings).items())}
    document: Document = {
        "workermd": __version__,
        "python": sys.version.split()[0],
        "autogen-core": _version("autogen-core"),
        "extras": {extra: {name: _version(name) for name in names} for extra, names in EXTRAS.items()},
        "configuration": settings.origin or None,
        "ledger": {
            "path": masked(settings.ledger),
            "from": settings.ledger_origin,
            "problem": _ledger(settings, problems),
        },
        "models": models,
        "bindings": [
            _bound(table, name, binding, settings, problems)
            for table, bindings in (("workers", settings.workers), ("modes", settings.modes))
            for name, binding in sorted(bindings.items())
        ],
        "sandbox": {"means": [each._asdict() for each in probe.means()], "modes": probe.modes()},
        "variables": {name: name in os.environ for name in _variables(settings)},
    }
    return Examined(document | {"problems": problems}, tuple(problems))


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _ledger(settings: Settings, problems: list[str]) -> str | None:
    try:
        ledger = open_to_read(settings.ledger)
        if ledger is not None:
            ledger.close()
    except LedgerUnavailable as error:
        problems.append(error.message)
        return error.message
    return None


def _models(settings: Settings) -> dict[str, Model]:
    """The models by the names that bindings call them by; one that a binding describes itself by its own name."""
    named = dict(settings.models)
    for binding in (*settings.workers.values(), *settings.modes.values()):
        if binding.model is not None and binding.model not in named.values():
            named[f"{binding.model.name} at {binding.model.base_url}"] = binding.model
    return named


def _model(name: str, model: Model, problems: list[str], *, offline: bool) -> Document:
    keys.provide([model])
    key_set = not model.api_key_env or bool(os.environ.get(model.api_key_env))
    if reason := keys.why_missing(model):
        problems.append(f"model {name}: {reason}")
    elif not key_set:
        problems.append(f"model {name}: the variable {model.api_key_env} is not set")
    answer = None if offline or model.provider else _asked(model)
    if answer is not None and answer != "answers":
        problems.append(f"model {name}: {answer}")
    return {
        "model": model.name,
        "base_url": model.base_url,
        "provider": model.provider or None,
        "api_key_env": None if model.key_from else model.api_key_env or None,
        "api_key_from": keys.shown(model.key_from) or None,
        "keys": _further(model),
        "key_set": key_set if model.api_key_env else None,
        "priced": model.input_price is not None,
        "endpoint": answer,
    }


_SHOWN = (
    "structured",
    "api_version",
    "bearer",
    "names",
    "system",
    "merge_roles",
    "stream",
    "ca_file",
    "proxy_env",
    "fallback",
)
"""Keys of a model's table that are shown where they are not as they are without being written."""


def _further(model: Model) -> Document:
    """How the endpoint is spoken to, as far as the model's table says so. Of a header its variable is named."""
    plain = Model(model.name)
    told = {key: getattr(model, key) for key in _SHOWN if getattr(model, key) != getattr(plain, key)}
    told |= {key: list(value) for key, value in told.items() if isinstance(value, tuple)}
    if model.headers:
        told["headers"] = dict(model.headers)
    if model.options:
        told["options"] = sorted(model.options)
    return told


def _asked(model: Model) -> str:
    """Whether the endpoint answers; any answer will do, but one that refuses the key."""
    request = urllib.request.Request(model.base_url.rstrip("/") + "/models", headers={"user-agent": "workermd"})  # noqa: S310 - http by the configuration's own check
    if key := os.environ.get(model.api_key_env) if model.api_key_env else None:
        name, before = model.key_header
        request.add_header(name, f"{before}{key}")
    try:
        _straight.open(request, timeout=PATIENCE).close()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (401, 403):
            return f"the endpoint does not accept the key of {model.api_key_env}" if key else "the endpoint wants a key"
        return "answers" if error.code < 500 else f"the endpoint fails on its side (HTTP {error.code})"
    except OSError as error:
        reason = getattr(error, "reason", error)
        return f"the endpoint does not answer ({getattr(reason, 'strerror', None) or type(reason).__name__})"
    return "answers"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key goes to the endpoint that was named and to nobody else."""

    def redirect_request(self, *_: object) -> None:
        return None


_straight = urllib.request.build_opener(_NoRedirect)


def _bound(table: str, name: str, binding: Binding, settings: Settings, problems: list[str]) -> Document:
    problem = trial.why_unready(with_variables(binding, settings, Flags()))
    if problem:
        problems.append(f"[{table}.{name}]: {problem}")
    return {
        table.removesuffix("s"): name,
        "backend": binding.kind,
        "extra": KINDS[binding.kind].extra or None,
        "from": binding.origin,
        "model": binding.model.name if binding.model else None,
        "tools": [tool.name for tool in binding.tools],
        "asks_people": binding.asks_people,
        "problem": problem or None,
    }


def _variables(settings: Settings) -> list[str]:
    """Every variable that the configuration names."""
    bindings = (*settings.workers.values(), *settings.modes.values())
    named = [*settings.env, *settings.secret_env]
    for binding in bindings:
        named += [*binding.env, *binding.secret_env, *binding.key_variables]
    named += [model.api_key_env for model in settings.models.values() if model.api_key_env and not model.key_from]
    return list(dict.fromkeys(named))
