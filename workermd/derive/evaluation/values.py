"""What an expression can be worth to the evaluator: plain values, code of the repository, objects of known libraries."""

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

MAX_DOUBTS = 4


class Doubted:
    """Something that code which is not read may have changed. `doubts` say by which code, each once."""

    def __init__(self) -> None:
        self.doubts: list[str] = []

    def doubt(self, why: str) -> None:
        if why not in self.doubts and len(self.doubts) < MAX_DOUBTS:
            self.doubts.append(why)


class Unknown:
    """A value that cannot be told without running the code."""

    __slots__ = ()


UNKNOWN = Unknown()


class Rough(str):
    """A text of which some part is computed: good enough for a description, never for a name."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class External:
    """Something of a library, by its dotted name."""

    dotted: str


class Environment:
    """Names and their values: of a module, a class body or a call, with what stands around it."""

    __slots__ = ("elsewhere", "module", "parent", "values")

    def __init__(self, module: "Module", parent: "Environment | None") -> None:
        self.module = module
        self.parent = parent
        self.values: dict[str, Any] = {}
        self.elsewhere: dict[str, Environment] = {}
        """Names that `global` and `nonlocal` bind in another environment."""


class Module:
    """A module of the repository. `body` holds its names once it was worked through."""

    def __init__(self, path: str, name: str) -> None:
        self.path = path
        self.name = name
        self.body = Environment(self, None)
        self.stars: list[str] = []
        """Libraries of which every name was imported."""


@dataclass(frozen=True, slots=True)
class Imported:
    """An import that is not followed before its name is used."""

    module: str
    name: str | None
    near: str


class Function(Doubted):
    """A function or a lambda of the repository with what it was defined in."""

    def __init__(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, around: Environment) -> None:
        super().__init__()
        self.node = node
        self.around = around
        self.module = around.module
        self.owner: Class | None = None
        self.attributes: dict[str, Any] = {}
        self.defaults: list[Any] = []
        self.named_defaults: list[Any] = []

    @property
    def name(self) -> str:
        return self.node.name if not isinstance(self.node, ast.Lambda) else ""


class Class(Doubted):
    """A class of the repository; its bases may be of libraries."""

    def __init__(self, node: ast.ClassDef, module: Module, bases: list[Any]) -> None:
        super().__init__()
        self.node = node
        self.module = module
        self.bases = bases
        self.attributes: dict[str, Any] = {}
        self.is_record = False

    def lineage(self, depth: int = 0) -> "list[Class | External]":
        """The class and those above it, nearest first; what is not known of them is left out."""
        found: list[Class | External] = [self]
        for base in self.bases if depth < 12 else ():
            if isinstance(base, Class):
                found.extend(base.lineage(depth + 1))
            elif isinstance(base, External):
                found.append(base)
        return found

    def find(self, name: str) -> Any:
        for above in self.lineage():
            if isinstance(above, Class) and name in above.attributes:
                return above.attributes[name]
        return None


class Instance:
    """An object of a class of the repository."""

    def __init__(self, made_of: Class) -> None:
        self.made_of = made_of
        self.attributes: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, eq=False)
class EnumMember:
    """A member of an Enum of the repository."""

    made_of: Class
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class FieldDefault:
    """`field(default=…, default_factory=…)` of a dataclass."""

    default: Any
    factory: Any


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A function under `@staticmethod`, `@classmethod` or `@property`."""

    kind: str
    function: Any


@dataclass(frozen=True, slots=True, eq=False)
class Above:
    """`super()`: what stands above a class, for an object."""

    owner: Class
    subject: Any


@dataclass(frozen=True, slots=True)
class Bound:
    function: Any
    subject: Any


class Invocation(NamedTuple):
    """The arguments of a call. `is_open` where there are more that could not be told."""

    arguments: list[Any]
    keywords: dict[str, Any]
    is_open: bool
    node: ast.AST
    module: Module

    def get(self, position: int, name: str, default: Any = None) -> Any:
        if name in self.keywords:
            return self.keywords[name]
        return self.arguments[position] if 0 <= position < len(self.arguments) else default


class Calls(Protocol):
    """What an object of a known library may ask of the evaluator."""

    uncertain: int
    asked: bool

    def call(self, value: Any, call: Invocation) -> Any: ...

    def attribute(self, value: Any, name: str) -> Any: ...

    def resolve(self, dotted: str, near: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Native:
    """A deed of a known library, a builtin or a method of a plain value."""

    name: str
    deed: Callable[[Any, Invocation], Any]


@dataclass(frozen=True, slots=True)
class Partial:
    function: Any
    arguments: list[Any]
    keywords: dict[str, Any]


class Modelled(Doubted):
    """An object of a known library whose deeds count: a parser, a command, an application."""

    def __init__(self) -> None:
        super().__init__()
        self.made_of: Class | None = None
        """The repository's own class, where the object is of one."""
        self.attributes: dict[str, Any] = {}

    def given_away(self, why: str) -> None:
        """Code that is not read was given the object."""
        self.doubt(why)

    def initialise(self, _evaluator: Calls, _call: Invocation) -> None:
        """What the library's own `__init__` does."""

    def member(self, _evaluator: Calls, _name: str) -> Any:
        """An attribute that the library gives it."""
        return UNKNOWN

    def called(self, _evaluator: Calls, _call: Invocation) -> Any:
        """What calling the object does."""
        return UNKNOWN


class Library(NamedTuple):
    """What is known of libraries: classes that can be derived from, and functions, by dotted name."""

    classes: dict[str, Callable[[], Modelled]]
    functions: dict[str, Callable[[Any, Invocation], Any]]
    packages: frozenset[str]
    """Packages that are known by this table alone, even in their own repositories."""
    alike: Callable[[str], str]
    """The name by which a library's member is listed here: forks and wrappers share their original's."""


class Stopped(Exception):
    """The evaluation has seen what it was asked for. `found` is that object."""

    def __init__(self, found: Any) -> None:
        super().__init__()
        self.found = found


class Ended(Exception):
    """A statement ends what it stands in: a `return`, a `raise`, a `break`."""


class Exhausted(Exception):
    """The budget for work is used up."""


def is_known(value: Any) -> bool:
    """Whether a value is plain and every part of it is told."""
    if isinstance(value, Rough | Unknown):
        return False
    if isinstance(value, list | tuple | set):
        return all(is_known(part) for part in value)
    if isinstance(value, dict):
        return all(is_known(part) for pair in value.items() for part in pair)
    return value is None or isinstance(value, str | int | float | bool | bytes)


def is_rich(value: Any) -> bool:
    """Whether a value is more than nothing: of two ways to bind a name the richer one counts."""
    return isinstance(value, Modelled | Function | Class | Instance | Module | Bound | Native | Partial | list | dict)
