"""What every part of the evaluator shares: the state of one program, its bounds, and how a statement ends."""

import ast
from collections.abc import Sequence
from typing import Any

from workermd.derive.evaluation.values import Ended, Environment, Exhausted, Function, Invocation, Library, Module
from workermd.derive.interfaces.scope import Sources

MAX_STEPS = 300_000
"""Statements and expressions worked through for one program."""

MAX_CALL_STEPS = 60_000
"""Of them for one call that the program makes: what only computes may not use up what shapes the commands needs."""

MAX_DEPTH = 22
"""Calls within calls."""

MAX_ROUNDS = 600
"""Rounds of one loop."""

MAX_MODULES = 250


class Left(Ended):
    """A `return`, with its value."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Raised(Ended):
    """A `raise`, or a call that never comes back."""


class Broke(Ended):
    """`break`."""


class Went(Ended):
    """`continue`."""


class Tired(Ended):
    """A call has used up what it may. `depth` is that of the call."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth


MISSING = object()


class Frame:
    """One program: its modules, each worked through at most once, and the libraries it is made with."""

    def __init__(self, sources: Sources, library: Library) -> None:
        self.sources = sources
        self.library = library
        self.modules: dict[str, Module] = {}
        self.steps = 0
        self.uncertain = 0
        """Above 0 where it is not told whether the code runs at all."""
        self.asked = self.platform_asked = False
        """Whether the system was asked for; and whether options depend on the answer."""
        self.depth = 0
        self.limits: list[tuple[int, int]] = []
        """Up to which step calls may go on, the innermost last, each with its depth."""
        self.candidates: list[list[Any]] = []
        """For each call the values that it may return."""

    def step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Exhausted
        if self.limits and self.steps > self.limits[-1][0]:
            raise Tired(self.limits[-1][1])

    def run(self, statements: Sequence[ast.stmt], around: Environment) -> None:
        """Works statements through. The parts that do it build on this one, and so they do for what follows."""
        raise NotImplementedError

    def value(self, node: ast.expr, around: Environment) -> Any:
        """What an expression is worth."""
        raise NotImplementedError

    def store(self, target: ast.expr, value: Any, around: Environment) -> None:
        """`target = value`."""
        raise NotImplementedError

    def call(self, value: Any, call: Invocation) -> Any:
        """`value(…)`."""
        raise NotImplementedError

    def made_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, around: Environment) -> Function:
        """A function with the defaults that it is defined with."""
        function = Function(node, around)
        function.defaults = [self.value(default, around) for default in node.args.defaults]
        named = node.args.kw_defaults
        function.named_defaults = [self.value(one, around) if one is not None else MISSING for one in named]
        return function
