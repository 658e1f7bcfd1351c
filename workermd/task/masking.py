"""Secrets stay out of what is written: logs, errors, outputs, and so the ledger (S6.3)."""

import json
import os
from collections.abc import Callable
from typing import Any

from workermd.task.binding import Binding

SHORTEST = 4
"""Shorter values are not masked: they would take half of every text with them."""

MASK = "***"


class Mask:
    """Replaces the values of a binding's secret variables."""

    def __init__(self, binding: Binding) -> None:
        self._secrets = tuple(
            written
            for name in binding.secret_env
            if len(value := os.environ.get(name, "")) >= SHORTEST
            # As it is, and as it stands in JSON with and without escapes beyond ASCII.
            for written in (value, *(json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)))
        )

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """The same JSON value with every text in it masked, keys included."""
        return _each_text(value, self.text)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON value with every text in it changed, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _each_text(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_each_text(each, change) for each in value)
    return value
