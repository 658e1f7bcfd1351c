"""Operators, comparisons and formatting on plain values, each bounded: no expression of others can grow without end."""

import ast
import re
from typing import Any

from workermd.derive.evaluation.values import (
    UNKNOWN,
    Class,
    EnumMember,
    External,
    Function,
    Instance,
    Modelled,
    Module,
    Rough,
    Unknown,
)

MAX_TEXT = 20_000
MAX_PARTS = 4000
MAX_BITS = 256

_PERCENT = re.compile(r"%(?:\((?P<name>\w+)\))?(?P<form>[sdrif%])")
_BRACES = re.compile(r"\{(?P<field>\w*)(?:![rsa])?\}|\{\{|\}\}")


def truth(value: Any) -> bool | None:
    """Whether a value counts as true; None where that cannot be told."""
    if isinstance(value, Rough):
        return True if value else None
    if isinstance(value, Unknown | Instance | EnumMember):
        return None
    if isinstance(value, External):
        return False if value.dotted.endswith("TYPE_CHECKING") else None
    if isinstance(value, Modelled | Function | Class | Module):
        return True
    return (
        bool(value) if isinstance(value, str | int | float | bytes | list | tuple | dict | set | type(None)) else None
    )


def binary(operator: ast.operator, left: Any, right: Any) -> Any:  # noqa: PLR0911 (a table of operators)
    """`left operator right` for plain values; UNKNOWN for everything else and for what would be too large."""
    if isinstance(operator, ast.Mod) and isinstance(left, str):
        return percent(left, right)
    if isinstance(operator, ast.Add):
        return _sum(left, right)
    if isinstance(operator, ast.BitOr) and isinstance(left, dict) and isinstance(right, dict):
        return _bounded({**left, **right})
    if isinstance(operator, ast.BitOr | ast.Sub) and isinstance(left, set) and isinstance(right, set):
        return _bounded(left | right if isinstance(operator, ast.BitOr) else left - right)
    if isinstance(operator, ast.Mult) and isinstance(left, str | list) and type(right) is int:
        return left * right if right >= 0 and len(left) * right <= MAX_PARTS else UNKNOWN
    if type(left) in (int, float) and type(right) in (int, float):
        return _number(operator, left, right)
    return UNKNOWN


def _sum(left: Any, right: Any) -> Any:
    if isinstance(left, str) or isinstance(right, str):
        if not isinstance(left, str | Unknown) or not isinstance(right, str | Unknown):
            return UNKNOWN
        parts = [part if isinstance(part, str) else Rough("…") for part in (left, right)]
        return joined("", parts)
    if isinstance(left, list) and isinstance(right, list):
        return _bounded(left + right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return _bounded(left + right)
    if type(left) in (int, float) and type(right) in (int, float):
        return _number(ast.Add(), left, right)
    return UNKNOWN


def _bounded(value: Any) -> Any:
    return value if len(value) <= MAX_PARTS else UNKNOWN


def _number(operator: ast.operator, left: float, right: float) -> Any:  # noqa: PLR0911 (a table of names)
    if any(isinstance(each, int) and each.bit_length() > MAX_BITS for each in (left, right)):
        return UNKNOWN
    try:
        match operator:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                return left / right
            case ast.FloorDiv():
                return left // right
            case ast.Mod():
                return left % right
            case ast.Pow() if 0 <= right <= 64 and abs(left) <= 1024:
                return left**right
    except (ArithmeticError, ValueError):
        pass
    return UNKNOWN


def joined(between: str, parts: list[Any]) -> Any:
    """Texts put together; rough where a part is."""
    texts = [part if isinstance(part, str) else Rough("…") for part in parts]
    if sum(len(text) + len(between) for text in texts) > MAX_TEXT:
        return Rough("…")
    whole = str(between).join(texts)
    return Rough(whole) if any(isinstance(part, Rough) for part in (between, *texts)) else whole


def shown(value: Any) -> str:
    """A value as `str()` shows it; rough where that cannot be told."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | bool | None) and not (isinstance(value, int) and value.bit_length() > MAX_BITS):
        return str(value)
    return Rough("…")


def percent(form: str, given: Any) -> Any:
    """`form % given` where the form has plain fields only."""
    values = list(given) if isinstance(given, tuple) else [given]
    parts: list[Any] = []
    at = 0
    for match in _PERCENT.finditer(form):
        parts.append(form[at : match.start()])
        at = match.end()
        if match["form"] == "%":
            parts.append("%")
        elif match["name"]:
            parts.append(shown(given.get(match["name"], UNKNOWN)) if isinstance(given, dict) else Rough("…"))
        else:
            parts.append(shown(values.pop(0)) if values else Rough("…"))
    rest = form[at:]
    text = joined("", [*parts, rest])
    return Rough(text) if "%" in _PERCENT.sub("", form) or isinstance(form, Rough) else text


def braces(form: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """`form.format(…)` where the fields are plain names and numbers."""
    parts: list[Any] = []
    at = count = 0
    for match in _BRACES.finditer(form):
        parts.append(form[at : match.start()])
        at = match.end()
        field = match["field"]
        if match[0] in ("{{", "}}"):
            parts.append(match[0][0])
            continue
        if not field:
            field, count = str(count), count + 1
        number = int(field) if field.isascii() and field.isdigit() and len(field) < 4 else None
        value = keywords.get(field, UNKNOWN) if number is None else [*arguments[number : number + 1], UNKNOWN][0]
        parts.append(shown(value))
    text = joined("", [*parts, form[at:]])
    is_plain = not isinstance(form, Rough) and not re.search("[{}]", _BRACES.sub("", form))
    return text if is_plain else Rough(text)


def put(held: Any, key: Any, value: Any) -> None:
    """`held[key] = value`, for plain keys."""
    fits = isinstance(held, dict) and isinstance(key, str | int) and len(held) < MAX_PARTS
    if fits or (isinstance(held, list) and type(key) is int and -len(held) <= key < len(held)):
        held[key] = value


def compare(operator: ast.cmpop, left: Any, right: Any) -> Any:
    """`left operator right`; UNKNOWN where it cannot be told."""
    if isinstance(operator, ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
        same = _same(left, right)
        if same is None and isinstance(operator, ast.Is | ast.IsNot) and _are_told(left, right):
            same = left is right
        return UNKNOWN if same is None else same is isinstance(operator, ast.Is | ast.Eq)
    if isinstance(operator, ast.In | ast.NotIn):
        held = _held(left, right)
        return UNKNOWN if held is None else held is isinstance(operator, ast.In)
    plain = (int, float, str)
    if isinstance(left, tuple) and isinstance(right, tuple):
        same_kinds = all(type(a) is int and type(b) is int for a, b in zip(left, right, strict=False))
        return _ordered(operator, left, right) if same_kinds else UNKNOWN
    if isinstance(left, Rough) or isinstance(right, Rough):
        return UNKNOWN
    if isinstance(left, plain) and isinstance(right, plain) and isinstance(left, str) == isinstance(right, str):
        return _ordered(operator, left, right)
    return UNKNOWN


def _are_told(left: Any, right: Any) -> bool:
    """Whether two values are told well enough to say that they are not one object."""
    return not isinstance(left, Rough | Unknown | External) and not isinstance(right, Rough | Unknown | External)


def _same(left: Any, right: Any) -> bool | None:
    if isinstance(left, Rough | Unknown | External) or isinstance(right, Rough | Unknown | External):
        return None
    if isinstance(left, EnumMember) and isinstance(right, EnumMember):
        return left.made_of is right.made_of and left.name == right.name
    plain = (str, int, float, bool, type(None), tuple, list)
    if isinstance(left, plain) and isinstance(right, plain):
        return bool(left == right)
    return left is right if left is None or right is None or left is right else None


def _held(left: Any, right: Any) -> bool | None:
    if isinstance(left, Rough | Unknown) or isinstance(right, Rough):
        return None
    if isinstance(right, str):
        return left in right if isinstance(left, str) else None
    if isinstance(right, list | tuple | set | dict) and isinstance(left, str | int | float | bool | None):
        if any(isinstance(part, Unknown | Rough | External) for part in right):
            return None
        return left in right
    return None


def _ordered(operator: ast.cmpop, left: Any, right: Any) -> Any:
    match operator:
        case ast.Lt():
            return left < right
        case ast.LtE():
            return left <= right
        case ast.Gt():
            return left > right
        case ast.GtE():
            return left >= right
    return UNKNOWN
