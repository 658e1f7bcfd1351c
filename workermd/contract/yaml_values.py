"""YAML of a repository as JSON values with places, within caps: depth, nodes, copies made by aliases.

libyaml's events are read in one loop. Plain scalars mean what YAML 1.2's core schema says, so `on`, `yes` and
`2026-03-01` are text. Aliases and `<<` are resolved as copies that count against the same cap, so a bomb is refused
before it grows. Keys are text; a key twice, a tag of one's own and a second document are refused.
"""

import re
from typing import Any, NamedTuple, NoReturn

import yaml

from workermd.contract.json.strict import escape
from workermd.contract.yaml_events import events
from workermd.system.text import shown

MAX_DEPTH = 64
MAX_NODES = 300_000
"""Values of a document, those that aliases stand for counted every time."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,300}").fullmatch
_BASED = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}").fullmatch
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,300}|[0-9]{1,300}(?:\.[0-9]{0,300})?)(?:[eE][-+]?[0-9]{1,2})?").fullmatch
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TEXT_TAGS = {"!", "tag:yaml.org,2002:str"}
_CORE = {f"tag:yaml.org,2002:{word}" for word in ("bool", "float", "int", "map", "null", "seq", "str")}


class YamlError(ValueError):
    """Text that is no YAML, or none that is read here; the message is one line and quotes no value."""


class YamlDocument(NamedTuple):
    """`places` maps JSON Pointers to the offsets of the first character of the key (or value) and after the value.

    What an alias or a merge brought in has no place of its own: its nearest holder has one.
    """

    value: Any
    places: dict[str, tuple[int, int]]


def read(text: str, *, as_text: bool = False) -> YamlDocument:
    """The one document in `text`; with `as_text` every scalar stays the text that was written. Raises YamlError."""
    reader = _Reader(text, as_text=as_text)
    try:
        for event in events(text):
            reader.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" on line {text.count(chr(10), 0, mark.index) + 1}" if mark is not None else ""
        raise YamlError(f"not well-formed YAML{where}") from None
    return YamlDocument(reader.root, reader.places)


class _Frame:
    """An open mapping or list."""

    __slots__ = ("anchor", "container", "end", "expects_key", "key", "key_start", "merges", "pointer", "start")

    def __init__(self, container: list[Any] | dict[str, Any], pointer: str, start: int, anchor: str | None) -> None:
        self.container = container
        self.pointer = pointer
        self.start = start
        self.end = start
        self.anchor = anchor
        self.expects_key = isinstance(container, dict)
        self.key = ""
        self.key_start: int | None = None
        self.merges: list[dict[str, Any]] = []


_MERGE = "<<"


class _Reader:
    def __init__(self, text: str, *, as_text: bool) -> None:
        self.text = text
        self.as_text = as_text
        self.root: Any = None
        self.places: dict[str, tuple[int, int]] = {}
        self._nodes = 0
        self._documents = 0
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Any] = {}

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._open({}, event)
            case yaml.SequenceStartEvent():
                self._open([], event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self._refuse("more than one document", event)

    def _refuse(self, what: str, event: yaml.Event) -> NoReturn:
        mark = event.start_mark
        line = self.text.count("\n", 0, mark.index) + 1 if mark is not None else 1
        raise YamlError(f"{what} on line {line}")

    def _count(self, event: yaml.Event, more: int = 1) -> None:
        self._nodes += more
        if self._nodes > MAX_NODES:
            self._refuse(f"more than {MAX_NODES} values, aliases counted", event)

    def _span(self, event: yaml.Event) -> tuple[int, int]:
        start, end = event.start_mark, event.end_mark
        if start is None or end is None:  # libyaml marks every event
            return 0, 0
        return start.index, end.index

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(event)
        start, end = self._span(event)
        end = max(start, start + len(self.text[start:end].rstrip()))  # a block scalar ends behind its line ends
        frame = self._frames[-1] if self._frames else None
        if frame is not None and frame.expects_key:
            is_merge = event.value == _MERGE and not event.style and event.tag is None
            self._key(event.value, is_merge, start, event)
            if event.anchor is not None:
                self._anchors[event.anchor] = event.value
            return
        value = self._value(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._put(value, start, end, event)

    def _value(self, event: yaml.ScalarEvent) -> Any:
        tag = event.tag
        if tag is not None and tag not in _TEXT_TAGS | _CORE:
            self._refuse(f"the tag {shown(tag)}", event)
        if self.as_text or tag in _TEXT_TAGS or (tag is None and event.style):
            return event.value
        return _resolved(event.value)

    def _key(self, key: str, is_merge: bool, start: int, event: yaml.Event) -> None:
        frame = self._frames[-1]
        if not is_merge and key in frame.container:
            self._refuse(f"the key {shown(key)} a second time", event)
        frame.key, frame.key_start, frame.expects_key = key, start, False
        if is_merge:
            frame.key_start = None

    def _open(self, container: list[Any] | dict[str, Any], event: yaml.CollectionStartEvent) -> None:
        self._count(event)
        if event.tag is not None and event.tag not in _CORE:
            self._refuse(f"the tag {shown(event.tag)}", event)
        if len(self._frames) == MAX_DEPTH:
            self._refuse(f"nesting of more than {MAX_DEPTH} levels", event)
        frame = self._frames[-1] if self._frames else None
        if frame is not None and frame.expects_key:
            self._refuse("a list or mapping as a key", event)
        self._frames.append(_Frame(container, self._pointer(), self._span(event)[0], event.anchor))

    def _close(self, event: yaml.CollectionEndEvent) -> None:
        frame = self._frames.pop()
        start, end = self._span(event)
        if end > start:  # a bracket; a block ends with its last part
            frame.end = end
        if isinstance(frame.container, dict):
            for merged in frame.merges:
                for key, value in merged.items():
                    frame.container.setdefault(key, value)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = frame.container
        self._put(frame.container, frame.start, frame.end, event)

    def _alias(self, event: yaml.AliasEvent) -> None:
        start, end = self._span(event)
        if event.anchor not in self._anchors:
            self._refuse("an alias of something unknown or unfinished", event)
        value = self._anchors[event.anchor]
        if self._frames and self._frames[-1].expects_key:
            if not isinstance(value, str):
                self._refuse("a key that is no text", event)
            self._key(value, False, start, event)
            return
        self._put(self._copy(value, len(self._frames), event), start, end, event)

    def _copy(self, value: Any, depth: int, event: yaml.Event) -> Any:
        self._count(event)
        if depth > MAX_DEPTH:
            self._refuse(f"nesting of more than {MAX_DEPTH} levels", event)
        if isinstance(value, dict):
            return {key: self._copy(item, depth + 1, event) for key, item in value.items()}
        if isinstance(value, list):
            return [self._copy(item, depth + 1, event) for item in value]
        return value

    def _pointer(self) -> str:
        if not self._frames:
            return ""
        frame = self._frames[-1]
        if isinstance(frame.container, list):
            return f"{frame.pointer}/{len(frame.container)}"
        return f"{frame.pointer}/{escape(frame.key)}"

    def _put(self, value: Any, start: int, end: int, event: yaml.Event) -> None:
        frame = self._frames[-1] if self._frames else None
        pointer = self._pointer()
        if frame is None:
            self.root = value
            self.places[pointer] = (start, end)
            return
        frame.end = max(frame.end, end)
        if isinstance(frame.container, list):
            frame.container.append(value)
        elif frame.key_start is None:
            self._merge(frame, value, event)
            frame.expects_key = True
            return
        else:
            frame.container[frame.key] = value
            start = frame.key_start
            frame.expects_key = True
        self.places[pointer] = (start, end)

    def _merge(self, frame: _Frame, value: Any, event: yaml.Event) -> None:
        parts = value if isinstance(value, list) else [value]
        for part in parts:
            if not isinstance(part, dict):
                self._refuse("`<<` with something that is no mapping", event)
            frame.merges.append(part)


def _resolved(plain: str) -> Any:
    """What a plain scalar means in the core schema. Infinity and NaN stay text: JSON has none."""
    if plain in _WORDS:
        return _WORDS[plain]
    if _INTEGER(plain):
        return int(plain)
    if _BASED(plain):
        return int(plain, 0)
    return float(plain) if _FLOAT(plain) else plain
