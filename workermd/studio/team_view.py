"""A binding with agents as a picture: who takes part, how the work goes round, which model and which tools each has."""

from itertools import pairwise
from typing import NamedTuple

from workermd.protocol.envelope import Document
from workermd.task.binding import Binding

_BOX_WIDTH, _BOX_HEIGHT, _GAP = 200, 84, 36
_TOP, _MARGIN, _A_ROW = 92, 16, 4
_TOOL_HEIGHT, _TOOL_GAP = 26, 8


class TeamPart(NamedTuple):
    """One agent."""

    name: str
    description: str
    instructions: str
    model: str
    tools: tuple[str, ...]
    handoffs: tuple[str, ...]


class TeamBox(NamedTuple):
    """A rectangle with lines of text, as attributes of an SVG."""

    kind: str
    x: int
    y: int
    width: int
    height: int
    title: str
    lines: tuple[str, ...]


class TeamArrow(NamedTuple):
    path: str
    head: str


class TeamPicture(NamedTuple):
    """`words` tell the same to who does not see it."""

    kind: str
    pattern: str
    parts: tuple[TeamPart, ...]
    boxes: tuple[TeamBox, ...]
    arrows: tuple[TeamArrow, ...]
    width: int
    height: int
    words: str


def parts(binding: Binding) -> tuple[TeamPart, ...]:
    """The agents of a binding; one without any has the one that its kind makes."""
    given = binding.arrangement.get("agents", [])
    own = binding.model.name if binding.model is not None else ""
    tools = tuple(tool.name for tool in binding.tools)
    found = (
        tuple(_part(each, own, tools) for each in given if isinstance(each, dict)) if isinstance(given, list) else ()
    )
    return found or (TeamPart("assistant", "", str(binding.arrangement.get("instructions", "")), own, tools, ()),)


def _part(given: Document, own: str, tools: tuple[str, ...]) -> TeamPart:
    return TeamPart(
        str(given.get("name", "")),
        str(given.get("description", "")),
        str(given.get("instructions", "")),
        str(given.get("model", "") or own),
        tuple(map(str, given["tools"])) if isinstance(given.get("tools"), list) else tools,
        tuple(map(str, given.get("handoffs", ()))) if isinstance(given.get("handoffs"), list) else (),
    )


def drawn(binding: Binding) -> TeamPicture | None:
    """The picture; None for a binding without a model."""
    if binding.model is None and not binding.models:
        return None
    pattern = str(binding.arrangement.get("pattern", ""))
    found = parts(binding)
    columns = min(_A_ROW, len(found))
    width = 2 * _MARGIN + columns * _BOX_WIDTH + (columns - 1) * _GAP
    boxes, y, row_height = [], _TOP, 0
    for n, part in enumerate(found):
        if n and n % columns == 0:
            y, row_height = y + row_height + _GAP, 0
        height = _BOX_HEIGHT + len(part.tools) * (_TOOL_HEIGHT + _TOOL_GAP)
        boxes.append(_agent(part, _MARGIN + n % columns * (_BOX_WIDTH + _GAP), y, height))
        row_height = max(row_height, height)
    tools = [box for part, box in zip(found, boxes, strict=True) for box in _tools(part, box)]
    head = TeamBox("pattern", width // 2 - 110, _MARGIN, 220, 44, pattern or "one agent", (f"backend {binding.kind}",))
    ways = _ways(binding, found)
    arrows = _arrows(pattern, ways, found, boxes, head)
    return TeamPicture(
        binding.kind,
        pattern,
        found,
        (head, *boxes, *tools),
        arrows,
        width,
        y + row_height + _MARGIN,
        _words(pattern, found),
    )


def _agent(part: TeamPart, x: int, y: int, height: int) -> TeamBox:
    return TeamBox(
        "box", x, y, _BOX_WIDTH, height, _cut(part.name, 22), (_cut(part.model, 30), _cut(part.description, 30))
    )


def _tools(part: TeamPart, box: TeamBox) -> list[TeamBox]:
    top = box.y + _BOX_HEIGHT - _TOOL_GAP
    step = _TOOL_HEIGHT + _TOOL_GAP
    return [
        TeamBox("tool", box.x + 12, top + n * step, _BOX_WIDTH - 24, _TOOL_HEIGHT, "", (_cut(tool, 24),))
        for n, tool in enumerate(part.tools)
    ]


def _ways(binding: Binding, found: tuple[TeamPart, ...]) -> list[tuple[str, str]]:
    """From whom to whom the work goes where the table says so: hand-overs, or the edges of a graph."""
    edges = binding.arrangement.get("edges")
    named = (
        [(str(each.get("from")), str(each.get("to"))) for each in edges if isinstance(each, dict)]
        if isinstance(edges, list)
        else []
    )
    return [(part.name, to) for part in found for to in part.handoffs] or named


def _arrows(
    pattern: str, ways: list[tuple[str, str]], found: tuple[TeamPart, ...], boxes: list[TeamBox], head: TeamBox
) -> tuple[TeamArrow, ...]:
    """Along the ways where there are any; else one after the other, or from the one who chooses to each."""
    at = {part.name: box for part, box in zip(found, boxes, strict=True)}
    if drawable := [(at[one], at[other]) for one, other in ways if one in at and other in at and one != other]:
        return tuple(_line(one, other) for one, other in drawable)
    if pattern in ("round-robin", "pair", "sequential", "sequence", "graph"):
        return (_down(head, boxes[0]), *(_line(one, other) for one, other in pairwise(boxes)))
    return tuple(_down(head, box) for box in boxes)


def _line(one: TeamBox, other: TeamBox) -> TeamArrow:
    if one.y == other.y:
        forward = other.x > one.x
        x1 = one.x + (one.width if forward else 0)
        x2 = other.x + (0 if forward else other.width)
        y = one.y + (32 if forward else 52)
        tip = 8 if forward else -8
        return TeamArrow(f"M{x1} {y}H{x2 - tip}", f"M{x2} {y}l{-tip} -5v10z")
    x1, y1 = one.x + one.width // 2, one.y + one.height
    x2, y2 = other.x + other.width // 2, other.y
    middle = (y1 + y2) // 2
    return TeamArrow(f"M{x1} {y1}V{middle}H{x2}V{y2 - 8}", f"M{x2} {y2}l-5 -8h10z")


def _down(head: TeamBox, box: TeamBox) -> TeamArrow:
    x1, y1, x2 = head.x + head.width // 2, head.y + head.height, box.x + box.width // 2
    return TeamArrow(f"M{x1} {y1}V{y1 + 14}H{x2}V{box.y - 8}", f"M{x2} {box.y}l-5 -8h10z")


def _words(pattern: str, found: tuple[TeamPart, ...]) -> str:
    who = "; ".join(
        part.name
        + (f", {part.description}" if part.description else "")
        + (f", model {part.model}" if part.model else "")
        + (f", tools {', '.join(part.tools)}" if part.tools else "")
        + (f", hands over to {', '.join(part.handoffs)}" if part.handoffs else "")
        for part in found
    )
    return f"{pattern or 'one agent'}: {who}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
