"""Secrets stay out of what is written: logs, errors, outputs, and so the ledger (S6.3)."""

import json
from collections.abc import Callable
from typing import Any

from workermd.system import environment
from workermd.task import sensitive
from workermd.task.binding import Binding

SHORTEST = 4
"""Shorter values are not masked: they would take half of every text with them."""

MASK = "***"


class Mask:
    """Replaces the values of a binding's secret variables, and what stands at the sensitive places of an input."""

    def __init__(self, binding: Binding, given_input: Any = None) -> None:
        given = environment.variables()
        values = {name: given.get(name, "") for name in binding.secret_env}
        self._variables = {name: _written(value) for name, value in values.items() if len(value) >= SHORTEST}
        hidden = sensitive.texts(given_input, binding.sensitive) if binding.sensitive else ()
        written = [each for text in hidden if len(text) >= SHORTEST for each in _written(text)]
        secrets = [secret for secrets in self._variables.values() for secret in secrets]
        self._secrets = tuple(sorted({*secrets, *written}, key=len, reverse=True)) if written else tuple(secrets)
        self.longest = max(map(len, self._secrets), default=0)
        """Characters of the longest text that is masked."""

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def variable_in(self, text: str) -> str:
        """The variable whose value stands in a text; empty for none."""
        found = (name for name, secrets in self._variables.items() if any(secret in text for secret in secrets))
        return next(found, "")

    def value(self, value: Any) -> Any:
        """The same JSON value with every text in it masked, keys included."""
        return _each_text(value, self.text)


def _written(value: str) -> tuple[str, ...]:
    """A value in the ways that it is commonly written: as it is, in JSON, in an address, in base64."""
    from binascii import b2a_base64
    from urllib.parse import quote  # where there are secrets only: every run imports this module

    data = value.encode("utf-8", "surrogateescape")
    in_json = [json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)]
    in_base64 = b2a_base64(data, newline=False).decode().rstrip("=")
    safe = in_base64.translate(str.maketrans("+/", "-_"))
    # The last letter of base64 depends on what follows when the value does not end with a group of three bytes.
    base64 = [each[:-1] if len(data) % 3 else each for each in (in_base64, safe)]
    found = (value, *in_json, quote(value, safe="", errors="surrogateescape"), *base64)
    return tuple(dict.fromkeys(each for each in found if len(each) >= SHORTEST))


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON value with every text in it changed, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _each_text(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_each_text(each, change) for each in value)
    return value
