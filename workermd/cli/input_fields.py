"""An input made on the command line, field by field: nobody has to write JSON by hand for a text and a number."""

import json
from typing import Any

from workermd.cli.documents import input_bytes
from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.protocol.errors import UsageError


def made(fields: list[str], text_field: str | None, schema: Any, command: str) -> bytes:
    """The document of `--set KEY=VALUE` and `--input-text FIELD`. Raises UsageError.

    A field that the schema has as text alone takes the VALUE as it is; any other takes JSON, and text that is none.
    @FILE is the text of a file, @- of standard input; @@ begins a text that begins with @.
    """
    made = members(fields, text_field, schema, command)
    return f"{{{', '.join(f'{json.dumps(name)}: {text}' for name, text in made.items())}}}".encode()


def members(fields: list[str], text_field: str | None, schema: Any, command: str) -> dict[str, str]:
    """The JSON text of each field of `made`. Raises UsageError."""
    given = [*fields, *([f"{text_field}=@-"] if text_field else [])]
    found: dict[str, str] = {}
    from_stdin = 0
    for field in given:
        name, sign, value = field.partition("=")
        if not sign or not name:
            raise UsageError(f"--set: found {field[:40]!r}", "write KEY=VALUE, or KEY=@FILE for the text of a file")
        if name in found:
            raise UsageError(f"the field {name[:40]!r} is given twice", "leave one of the two out")
        from_stdin += value == "@-"
        if from_stdin > 1:
            raise UsageError("two fields want standard input, which can be read once", "name a file for one of them")
        found[name] = _member(name, value, schema, command)
    return found


def _member(name: str, value: str, schema: Any, command: str) -> str:
    """The JSON text of one value."""
    if value.startswith("@@"):
        return json.dumps(value[1:])
    text = _text(value[1:], command) if value.startswith("@") else value
    kinds = _types(schema, name)
    if kinds == {"string"} or (value.startswith("@") and (not kinds or "string" in kinds)):
        return json.dumps(text)
    try:
        quick.load(text)
    except JsonError as error:
        if not kinds or "string" in kinds:
            return json.dumps(text)
        allowed = " or ".join(sorted(kinds))
        raise UsageError(f"--set {name}: not JSON ({error.message})", f"the contract allows: {allowed}") from None
    return text


def _text(path: str, command: str) -> str:
    try:
        return input_bytes(path, command).decode()
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8, and a field of JSON is text", "convert the file to UTF-8") from None


def _types(schema: Any, name: str) -> set[str]:
    """The types that a property may have; empty where the schema does not say at once."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    rule = properties.get(name) if isinstance(properties, dict) else None
    kinds = rule.get("type") if isinstance(rule, dict) else None
    return {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else set()
