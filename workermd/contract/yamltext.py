"""The strict reader of YAML: one mapping of text, lists and mappings, with a place for everything.

libyaml's events are read in one loop without recursion, so no depth, alias or tag can hang or end the
process. Scalars are text, always: `on`, `1.10` and `2026-03-01` mean what they say.
"""

import re
from typing import NamedTuple

import yaml

from workermd.contract.invisible import told, without
from workermd.contract.json.located import JsonPlace
from workermd.contract.json.strict import escape
from workermd.contract.model import Span
from workermd.contract.problems import Problems
from workermd.contract.yaml_events import events
from workermd.system.text import quoted

MAX_BYTES = 32 * 1024
MAX_DEPTH = 16
MAX_EVENTS = 2000

Tree = str | list["Tree"] | dict[str, "Tree"] | None
"""A value; None stands for an alias, which has no value of its own and has been reported."""

_TROUBLE = re.compile("[\t\x85\u2028\u2029\ufeff]")
_TROUBLE_NAMES = {
    "\t": "a TAB",
    "\x85": "U+0085",
    "\u2028": "U+2028",
    "\u2029": "U+2029",
    "\ufeff": "a byte order mark",
}


class YamlMapping(NamedTuple):
    """`places` maps JSON Pointers to key and value. `complete` is False when reading stopped early."""

    values: dict[str, Tree]
    places: dict[str, JsonPlace]
    complete: bool


class _Stop(Exception):
    """Reading cannot go on; the reason has been reported."""


class _Frame:
    """An open mapping or list. `pointer` is None for what is read but not kept."""

    __slots__ = ("container", "expects_key", "is_key", "key", "key_span", "keys", "pointer", "start")

    def __init__(self, container: list[Tree] | dict[str, Tree], pointer: str | None, start: int, is_key: bool) -> None:
        self.container = container
        self.pointer = pointer
        self.start = start
        self.is_key = is_key
        self.expects_key = isinstance(container, dict)
        self.key: str | None = None
        self.key_span: Span | None = None
        self.keys: dict[str, Span] = {}


def read(text: str, start: int, end: int, problems: Problems) -> YamlMapping:
    """Read `text[start:end]`. What is wrong goes to `problems`.

    Raises ConfigurationError when PyYAML was built without libyaml.
    """
    source = text[start:end]
    if len(source) > MAX_BYTES or len(source.encode()) > MAX_BYTES:
        size = len(source.encode())
        problems.add("WM211", Span(start, start), f"found {size} bytes of YAML; allowed are {MAX_BYTES}", "Shorten it.")
        return YamlMapping({}, {}, complete=False)
    plain = _without_trouble(source, start, problems)
    reader = _Reader(start, plain, problems)
    try:
        for event in events(plain):
            reader.take(event)
    except _Stop:
        return YamlMapping(reader.mapping, reader.places, complete=False)
    except yaml.YAMLError as error:
        if plain is source:  # otherwise the stand-ins may be to blame
            _add_syntax_error(error, start, end, problems)
        return YamlMapping(reader.mapping, reader.places, complete=False)
    if not reader.found_mapping:
        message = f"found {reader.root_kind}; a mapping of keys to values is needed"
        problems.add("WM111", Span(start, start), message, "Write one `key: value` on each line.")
        return YamlMapping({}, {}, complete=False)
    return YamlMapping(reader.mapping, reader.places, complete=True)


def _without_trouble(source: str, start: int, problems: Problems) -> str:
    """Report characters that YAML readers disagree on; go on with a stand-in of the same length."""
    if not _TROUBLE.search(source):
        return source
    for match in _TROUBLE.finditer(source):
        name = _TROUBLE_NAMES[match[0]]
        span = Span(start + match.start(), start + match.end())
        problems.add("WM208", span, f"found {name}; YAML readers disagree on it", "Write spaces and plain line ends.")
    return _TROUBLE.sub(" ", source)


_SLIP = re.compile(r"([ \t]*(?:-[ \t]+)?)([A-Za-z_][\w.-]*):(\S.*)?")


def _slip_before(error: yaml.YAMLError, start: int, end: int, problems: Problems) -> tuple[Span, str, str] | None:
    """The commonest slip behind an error that libyaml notices a line later: no plain blank after a colon."""
    mark = getattr(error, "context_mark", None) or getattr(error, "problem_mark", None)
    if mark is None:
        return None
    lines = problems.lines
    last = lines.position(min(start + mark.index, end)).line
    for line in (last, last - 1):
        if line < 1 or lines.start(line) < start:
            continue
        text = lines.line_text(line)
        found = _SLIP.fullmatch(text)
        if unseen := told(text):
            at = lines.start(line) + len(text) - len(text.lstrip())
            meant = " ".join(without(text).split())
            return (
                Span(at, at),
                f"not well-formed YAML: found {unseen} where a plain blank belongs",
                f"Write `{meant[:60]}`.",
            )
        if found and found[3] and not found[3].startswith("//"):
            at = lines.start(line) + found.end(2)
            message = f"not well-formed YAML: there is no blank after the colon of {quoted(found[2])}"
            return Span(at, at + 1), message, f"Write `{found[2]}: {found[3][:40]}`."
    return None


def _add_syntax_error(error: yaml.YAMLError, start: int, end: int, problems: Problems) -> None:
    if (slip := _slip_before(error, start, end, problems)) is not None:
        problems.add("WM201", *slip)
        return
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    offset = mark.index if mark else getattr(error, "position", 0)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
    at = min(start + offset, end)
    hint = "Quote a value that holds `: ` or begins with a special character, and check the indentation."
    problems.add("WM201", Span(at, at), f"not well-formed YAML: {' '.join(str(reason).split())}", hint)


_GLUED = re.compile(r"[|>][-+0-9]*(?=#)")


def _after_deeper_blanks(source: str, at: int) -> int:
    """Where a block scalar's first text begins with a comment's mark and blank lines before it are indented deeper: that
    is no YAML, and which of the two libyaml takes it for is its own matter. -1 where it is not so."""
    deepest = 0
    while at < len(source):
        end = source.find("\n", at)
        line = source[at : end if end >= 0 else len(source)].rstrip("\r")
        if line.strip(" "):
            indent = len(line) - len(line.lstrip(" "))
            return at + indent if indent < deepest and indent and line[indent] == "#" else -1
        deepest = max(deepest, len(line))
        at += len(line) + 1
    return -1


class _Reader:
    """Takes one event after the other and builds the mapping."""

    def __init__(self, start: int, source: str, problems: Problems) -> None:
        self.offset = start
        self.source = source
        self.problems = problems
        self.mapping: dict[str, Tree] = {}
        self.places: dict[str, JsonPlace] = {}
        self.found_mapping = False
        self.root_kind = "nothing"
        self._documents = 0
        self._events = 0
        self._frames: list[_Frame] = []

    def take(self, event: yaml.Event) -> None:
        self._events += 1
        if self._events > MAX_EVENTS:
            message = f"found more than {MAX_EVENTS} keys, values and brackets"
            self._stop("WM210", self._span(event), message, "Shorten it.")
        match event:
            case yaml.ScalarEvent():
                self._check_properties(event)
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check_properties(event)
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._document(event)
            case yaml.DocumentEndEvent() if event.explicit:
                self._stop("WM207", self._span(event), "found the end marker `...`", "End the front matter with `---`.")

    def _span(self, event: yaml.Event) -> Span:
        start, end = event.start_mark, event.end_mark
        if start is None or end is None:  # libyaml marks every event
            return Span(self.offset, self.offset)
        return Span(self.offset + start.index, self.offset + end.index)

    def _stop(self, code: str, span: Span, message: str, hint: str) -> None:
        self.problems.add(code, span, message, hint)
        raise _Stop

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1 or event.explicit or event.version or event.tags:
            message = "found a YAML directive or the start of another document; one plain document is needed"
            self._stop("WM207", self._span(event), message, "Remove the line.")

    def _check_properties(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            message = f"found the anchor {quoted(f'&{event.anchor}')}; anchors and aliases are not read"
            self.problems.add("WM203", self._span(event), message, "Write the value out where it is needed.")
        if event.tag is not None:
            message = f"found the tag {quoted(event.tag)}; tags are not read"
            self.problems.add("WM205", self._span(event), message, "Remove the tag: every value is text.")

    def _alias(self, event: yaml.AliasEvent) -> None:
        message = f"found the alias {quoted(f'*{event.anchor}')}; anchors and aliases are not read"
        self.problems.add("WM203", self._span(event), message, "Write the value out.")
        if self._frames and self._frames[-1].expects_key:
            self._drop_key(self._span(event))
        else:
            self._put(None, self._span(event))

    def _check_comment(self, span: Span, *, is_block: bool = False) -> None:
        """YAML asks for a blank before a comment; libyaml takes one that is glued to a value all the same."""
        at = span.end - self.offset
        if is_block:
            begin = span.start - self.offset
            header = self.source[begin:].split("\n", 1)[0]
            glued = _GLUED.match(header)
            at = begin + glued.end() if glued else _after_deeper_blanks(self.source, begin + len(header) + 1)
        if 0 <= at < len(self.source) and self.source[at] == "#":
            message = "not well-formed YAML: a comment begins right behind a value"
            where = Span(self.offset + at, self.offset + at + 1)
            self.problems.add("WM201", where, message, "Put a blank before the `#`, or quote the value with it.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        span = self._span(event)
        if event.style:
            self._check_comment(span, is_block=event.style in "|>")
        if self._frames and self._frames[-1].expects_key:
            self._key(event.value, span)
        else:
            self._put(event.value, span)

    def _key(self, key: str, span: Span) -> None:
        frame = self._frames[-1]
        if key == "<<":
            hint = "Write the keys out; `<<` is no key either."
            self.problems.add("WM204", span, "found the merge key `<<`; merging is not read", hint)
            self._drop_key(span)
        elif key in frame.keys:
            line = self.problems.line(frame.keys[key].start)
            message = f"found {quoted(key)} again; it stands on line {line} already"
            self.problems.add("WM202", span, message, "Keep one of the two.")
            self._drop_key(span)
        else:
            frame.keys[key] = span
            frame.expects_key, frame.key, frame.key_span = False, key, span

    def _drop_key(self, span: Span) -> None:
        frame = self._frames[-1]
        frame.expects_key, frame.key, frame.key_span = False, None, span

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        span = self._span(event)
        if len(self._frames) == MAX_DEPTH:
            self._stop("WM209", span, f"found nesting of depth {MAX_DEPTH + 1}; allowed is {MAX_DEPTH}", "Flatten it.")
        is_key = bool(self._frames) and self._frames[-1].expects_key
        pointer = None if is_key else self._pointer()
        if is_key:
            self.problems.add(
                "WM206", span, "found a list or mapping as a key; a key is text", "Write a word as the key."
            )
        container: list[Tree] | dict[str, Tree] = {} if isinstance(event, yaml.MappingStartEvent) else []
        if not self._frames and isinstance(container, dict):
            self.found_mapping = True
            self.mapping = container
        self._frames.append(_Frame(container, pointer, span.start, is_key))

    def _close(self, event: yaml.CollectionEndEvent) -> None:
        frame = self._frames.pop()
        span = Span(frame.start, self._span(event).end)
        if self.source[span.end - self.offset - 1 : span.end - self.offset] in ("]", "}"):
            self._check_comment(span)
        if frame.is_key:
            self._drop_key(span)
        else:
            self._put(frame.container, span)

    def _pointer(self) -> str | None:
        """Where the next value belongs; None when it is not kept."""
        if not self._frames:
            return ""
        frame = self._frames[-1]
        if frame.pointer is None:
            return None
        if isinstance(frame.container, list):
            return f"{frame.pointer}/{len(frame.container)}"
        return None if frame.key is None else f"{frame.pointer}/{escape(frame.key)}"

    def _put(self, value: Tree, span: Span) -> None:
        pointer = self._pointer()
        frame = self._frames[-1] if self._frames else None
        if pointer is not None:
            self.places[pointer] = JsonPlace(frame.key_span if frame else None, span)
        if frame is None:
            self.root_kind = "a list" if isinstance(value, list) else "a single value"
        elif isinstance(frame.container, list):
            frame.container.append(value)
        else:
            if frame.key is not None:
                frame.container[frame.key] = value
            frame.expects_key, frame.key, frame.key_span = True, None, None
