"""What a Python object brings along that speaks to a model, or calls a tool, without us."""

import types
from collections import deque
from collections.abc import Iterator
from typing import Any, TypeVar

_Kept = TypeVar("_Kept")

MOST_OBJECTS = 50_000
"""Objects that are looked at; more hang on no team of agents."""

_CLIENTS = {
    "openai.OpenAI": "kit.openai",
    "openai.AsyncOpenAI": "kit.openai",
    "autogen_core.models._model_client.ChatCompletionClient": "kit.autogen",
    "agent_framework._clients.BaseChatClient": "kit.agent_framework",
    "ag2.config.config.ModelConfig": "kit.ag2",
}
_TOOLS = (
    "autogen_core.tools._function_tool.FunctionTool",
    "agent_framework._tools.FunctionTool",
    "ag2.tools.final.function_tool.FunctionTool",
)
_PLAIN = (str, bytes, int, float, bool, type(None), type, types.ModuleType, types.BuiltinFunctionType)


class Ours:
    """The objects that a kit handed out."""

    def __init__(self) -> None:
        self._objects: dict[int, Any] = {}

    def keep(self, made: _Kept) -> _Kept:
        self._objects[id(made)] = made  # held, so that no other object gets its number
        return made

    def __contains__(self, found: object) -> bool:
        return id(found) in self._objects


def strangers_in(made: Any, ours: Ours, package: str) -> list[str]:
    """What of an object is a client or a tool that is not ours, in words that say what to take instead. `package` is
    the top-level package of the operator's code, whose functions are looked into."""
    return [told for found in _objects(made, ours, package) if (told := _told(found, ours))]


def _is_workermds(found: Any) -> bool:
    return type(found).__module__.partition(".")[0] == "workermd"


def _told(found: Any, ours: Ours) -> str:
    if any(getattr(found, name, None) in ours for name in ("_client", "http_client")):
        return ""  # made by a framework of what is ours
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(found).__mro__}
    short = {f"{name.partition('.')[0]}.{name.rpartition('.')[2]}" for name in names}
    for name, instead in _CLIENTS.items():
        if name in names or name in short:
            return f"a client of its own, {type(found).__name__}; take one from the kit: {instead}(agent)"
    if names & set(_TOOLS) and not _holds(found, ours, 3):
        name = getattr(found, "name", "") or type(found).__name__
        return f"a tool of its own, {name}; wrap its function: kit.gated(agent, function)"
    return ""


def _holds(found: Any, ours: Ours, levels: int) -> bool:
    return any(each in ours or (levels > 1 and _holds(each, ours, levels - 1)) for each in _inside(found, ""))


def _objects(made: Any, ours: Ours, package: str) -> Iterator[Any]:
    """Everything that hangs on an object, but on what is ours; what is loaded as code is left alone."""
    seen: dict[int, Any] = {}
    waiting: deque[Any] = deque([made])
    while waiting and len(seen) < MOST_OBJECTS:
        found = waiting.popleft()
        if id(found) in seen or found in ours or isinstance(found, _PLAIN) or _is_workermds(found):
            continue
        seen[id(found)] = found
        yield found
        waiting.extend(_inside(found, package))


def _inside(found: Any, package: str) -> list[Any]:
    if isinstance(found, dict):
        return [*found.keys(), *found.values()]
    if isinstance(found, list | tuple | set | frozenset | deque):
        return list(found)
    if isinstance(found, types.MethodType):
        return [found.__self__, found.__func__]
    if isinstance(found, types.FunctionType):
        cells = [cell.cell_contents for cell in found.__closure__ or () if _is_filled(cell)]
        own = package and str(found.__module__).partition(".")[0] == package
        used = [found.__globals__[name] for name in found.__code__.co_names if own and name in found.__globals__]
        return [*cells, *(found.__defaults__ or ()), *used]
    below = list(vars(found).values()) if hasattr(found, "__dict__") else []
    slots = [name for kind in type(found).__mro__ for name in _slots_of(kind)]
    return below + [getattr(found, name) for name in slots if hasattr(found, name)]


def _slots_of(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - asks whether it has any
    except ValueError:
        return False
    return True
