"""What the table is made of."""

from keyword import iskeyword
from typing import Any, Literal, NamedTuple

Kind = Literal["flag", "text", "number", "count", "many"]

MOST = 10**9
"""The largest number that an option takes: beyond any use, and within what a database and a clock can hold."""


class OptionSpec(NamedTuple):
    """`flags` as typed; `name` as the command sees it. `many` collects a repeated option.

    `offers` names what completes a value that is not one of `choices`: see `completion.OFFERS`."""

    flags: tuple[str, ...]
    kind: Kind
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None
    offers: str = ""

    @property
    def name(self) -> str:
        return self.flags[0].removeprefix("--").replace("-", "_")

    @property
    def initial(self) -> Any:
        """The value when the option is not given."""
        if self.kind == "flag":
            return False
        return [] if self.kind == "many" else self.default


class ArgumentSpec(NamedTuple):
    """A positional argument; `many` takes all that are left, `required` at least one.

    `after_dashes` takes what stands behind `--`, and nothing else does."""

    name: str
    help: str
    metavar: str
    many: bool = False
    required: bool = True
    offers: str = ""
    after_dashes: bool = False


class CommandSpec(NamedTuple):
    """`name` is the words typed. `document` commands print one on failure too. `linux`: it carries out runs, or changes
    them."""

    name: tuple[str, ...]
    summary: str
    arguments: tuple[ArgumentSpec, ...]
    options: tuple[OptionSpec, ...]
    document: bool = False

    @property
    def linux(self) -> bool:
        return self.name in _LINUX

    @property
    def module(self) -> str:
        """The module that carries the command out: it has `execute(options) -> int` and the type of the options."""
        name = "_".join(self.name).replace("-", "_")
        return f"workermd.cli.commands.{name}{'_' * iskeyword(name)}"

    @property
    def options_type(self) -> str:
        """`RunsListOptions`: the command's values by name, typed."""
        return f"{''.join(word.capitalize() for each in self.name for word in each.split('-'))}Options"

    @property
    def initial(self) -> dict[str, Any]:
        """The values of the options when none is given."""
        return {option.name: option.initial for option in self.options}


_LINUX = (
    *(("run",), ("submit",), ("node", "run"), ("batch",), ("serve",), ("bench",), ("doctor",), ("approve",)),
    *(("runs", "reopen"), ("runs", "prune")),
)
"""Commands that need what only Linux has: pidfds, subreapers, open file description locks."""
