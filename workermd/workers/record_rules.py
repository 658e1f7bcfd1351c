"""The rules that a JSON Schema cannot say: unique keys, ranges over text numbers, two fields compared, required-if.

A rule that speaks of a field which the record does not have, or has as null, does not apply; whether a
field must be there is said by the schema's `required` or by `required_if`.
"""

import hashlib
import json
import operator
from collections.abc import Callable
from typing import Any

from workermd.protocol.envelope import Document

Found = tuple[str, str, str]
"""Field, rule name, message without the record's values."""


Rule = Callable[[Document, int], Found | None]
"""Says what is wrong with a record, given its row, or None."""


def compile_rules(rules: list[Document]) -> tuple[Rule, ...]:
    """One `Rule` for each entry of the input's `rules`, in their order."""
    return tuple(_KINDS[rule["rule"]](rule) for rule in rules)


_encode = json.JSONEncoder(sort_keys=True).encode


def _unique(rule: Document) -> Rule:
    fields: list[str] = rule["fields"]
    name = rule.get("name", "unique")
    # A digest for each key, not the key itself: memory grows by a fixed amount for each row.
    first_row: dict[bytes, int] = {}

    def check(record: Document, row: int) -> Found | None:
        key = [record.get(field) for field in fields]
        if None in key:
            return None
        text = _encode([_plain(value) for value in key])
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        earlier = first_row.setdefault(digest, row)
        if earlier == row:
            return None
        return ", ".join(fields), name, f"the same key as in row {earlier}"

    return check


def _plain(value: Any) -> Any:
    """1.0 and 1 are one key, as they are one number in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _range(rule: Document) -> Rule:
    field: str = rule["field"]
    name = rule.get("name", "range")
    low, high = rule.get("min"), rule.get("max")

    def check(record: Document, _row: int) -> Found | None:
        value = record.get(field)
        if value is None:
            return None
        if not _is_number(value):
            return field, name, "not a number, so no range can hold"
        if low is not None and value < low:
            return field, name, f"below {low}"
        if high is not None and value > high:
            return field, name, f"above {high}"
        return None

    return check


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


def _compare(rule: Document) -> Rule:
    left, sign, right = rule["left"], rule["op"], rule["right"]
    name = rule.get("name", "compare")
    holds = _COMPARISONS[sign]

    def check(record: Document, _row: int) -> Found | None:
        one, other = record.get(left), record.get(right)
        if one is None or other is None:
            return None
        alike = (_is_number(one) and _is_number(other)) or (isinstance(one, str) and isinstance(other, str))
        if not alike:
            return left, name, f"cannot be compared with {right}: both must be numbers or both text"
        return None if holds(one, other) else (left, name, f"must be {sign} {right}")

    return check


def _required_if(rule: Document) -> Rule:
    field: str = rule["field"]
    name = rule.get("name", "required_if")
    other: str = rule["when"]["field"]
    wanted = rule["when"]["equals"]

    def check(record: Document, _row: int) -> Found | None:
        applies = other in record and _same(record[other], wanted)
        if not applies or record.get(field) not in (None, ""):
            return None
        return field, name, f"required here, because of the value of {other}"

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


_KINDS: dict[str, Callable[[Document], Rule]] = {
    "unique": _unique,
    "range": _range,
    "compare": _compare,
    "required_if": _required_if,
}
