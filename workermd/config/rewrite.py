"""Keys put into a configuration file: its comments, its order and everything else in it stay."""

import difflib
import json
import os
import re
from typing import Any, NamedTuple

from workermd.protocol.errors import ConfigurationError


class Rewritten(NamedTuple):
    """The text of a file before and after, and the difference between the two as a patch."""

    before: str
    after: str
    patch: str


def with_keys(path: str, table: tuple[str, ...], keys: dict[str, Any]) -> Rewritten:
    """The file with these keys in one of its tables. Raises ConfigurationError where there is no such table."""
    import tomlkit  # reads and writes comments; only here, for it is slow to load

    try:
        with open(path, encoding="utf-8", newline="") as file:
            before = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise ConfigurationError(f"{path}: cannot be read ({reason})", "check the path and its permissions") from None
    document: Any = tomlkit.parse(before)
    if path.endswith("pyproject.toml"):
        table = ("tool", "workermd", *table)
    place = document
    for name in table:
        if name not in place:
            raise ConfigurationError(f"{path}: there is no [{'.'.join(table)}]", "write it first, with its model")
        place = place[name]
    for name, value in keys.items():
        place[name] = value
    after = tomlkit.dumps(document)
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), path, path)
    return Rewritten(before, after, "".join(lines))


def with_table(path: str, table: tuple[str, ...], keys: dict[str, Any], gone: tuple[str, ...] = ()) -> Rewritten:
    """The file with these keys in a table that is made where it is missing, and without those that are gone.

    A file that is not there is one without a word. Raises ConfigurationError.
    """
    import tomlkit

    before = text_of(path)
    document: Any = tomlkit.parse(before)
    place = document
    for name in (("tool", "workermd", *table) if path.endswith("pyproject.toml") else table)[:-1]:
        place = place.setdefault(name, tomlkit.table(is_super_table=True))
    chosen = place.setdefault(table[-1], tomlkit.table())
    for name in gone:
        chosen.pop(name, None)
    for name, value in keys.items():
        chosen[name] = value
    after = tomlkit.dumps(document)
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), path, path)
    return Rewritten(before, after, "".join(lines))


def text_of(path: str) -> str:
    """The configuration as it stands; empty where there is none. Raises ConfigurationError."""
    if not os.path.lexists(path):
        return ""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise ConfigurationError(f"{path}: cannot be read ({reason})", "check its permissions") from None


def has(text: str, table: tuple[str, ...]) -> bool:
    """Whether a configuration has such a table. Raises ConfigurationError for what is no TOML."""
    place = _parsed(text)
    for name in table:
        if name not in place:
            return False
        place = place[name]
    return True


def with_new_table(text: str, table: tuple[str, ...], keys: dict[str, Any], comment: str = "") -> str:
    """The configuration with this table at its end, and a comment at the table's; as it is where it has the table."""
    import tomlkit

    if has(text, table):
        return text
    made = tomlkit.table()
    for name, value in keys.items():
        made[name] = value
    if comment:
        made.add(tomlkit.comment(comment))
    head = ".".join(name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name) for name in table)
    above = f"{text.rstrip()}\n\n" if text.strip() else ""
    return f"{above}[{head}]\n{made.as_string()}"


def _parsed(text: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import ParseError

    try:
        return tomlkit.parse(text)
    except ParseError as error:
        raise ConfigurationError(f"the configuration is no TOML: {error}", "correct it first") from None
