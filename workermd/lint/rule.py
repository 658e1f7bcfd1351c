"""What a rule is made of: a code and a function."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from workermd.lint.subject import Fault, Subject


class Check(NamedTuple):
    """A rule: its code in `contract.rules.RULES` and its function. `whole`: it needs a usable contract."""

    code: str
    find: Callable[[Subject], Iterable[Fault]]
    whole: bool = True
