"""What is wrong with one file: places are offsets while reading, lines and columns in the findings."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from workermd.contract.model import Lines, Span
from workermd.contract.rules import RULES
from workermd.protocol.finding import Finding, ordered
from workermd.system.text import QUOTED_LENGTH, quoted

SUFFIX = ".worker.md"
MISNAMED = "WM105"
LISTED_PER_CODE = 20
"""A hostile file can break one rule a hundred thousand times; beyond this many, one finding counts the rest."""


class FileProblem(NamedTuple):
    code: str
    span: Span
    message: str
    hint: str


class Problems:
    """The collector that every reader of a file adds to."""

    def __init__(self, path: str, lines: Lines) -> None:
        self.path = path
        self.lines = lines
        self._listed: list[FileProblem] = []
        self._counts: dict[str, int] = {}
        self._overflow: dict[str, Span] = {}

    def add(self, code: str, span: Span, message: str, hint: str | Callable[[], str] = "") -> None:
        """`hint` may be a function: it is called only for what is listed."""
        count = self._counts.get(code, 0)
        self._counts[code] = count + 1
        if count < LISTED_PER_CODE:
            self._listed.append(FileProblem(code, span, message, hint if isinstance(hint, str) else hint()))
        elif count == LISTED_PER_CODE:
            self._overflow[code] = span

    def line(self, offset: int) -> int:
        return self.lines.position(offset).line

    def forget(self) -> None:
        """Drop everything: it turned out that the file is of another kind."""
        self._listed.clear()
        self._counts.clear()
        self._overflow.clear()

    @property
    def has_errors(self) -> bool:
        return any(RULES[code].severity == "error" for code in self._counts)

    def findings(self) -> tuple[Finding, ...]:
        rest = [
            FileProblem(
                code, span, f"{self._counts[code] - LISTED_PER_CODE} more of this kind, from here on, not listed", ""
            )
            for code, span in self._overflow.items()
        ]
        return ordered(self._finding(problem) for problem in [*self._listed, *rest])

    def _finding(self, problem: FileProblem) -> Finding:
        """The marked text ends with the line it begins on."""
        line, column = self.lines.position(problem.span.start)
        last = len(self.lines.line_text(line)) + 1
        end_column = max(column, min(last, column + problem.span.end - problem.span.start))
        severity = RULES[problem.code].severity
        return Finding(self.path, line, column, end_column, severity, problem.code, problem.message, problem.hint)


def nearest(word: str, known: Iterable[str], cutoff: float = 0.7) -> str | None:
    """The known word that `word` was probably meant to be; `cutoff` is difflib's ratio."""
    if len(word) > QUOTED_LENGTH:
        return None
    import difflib

    plain = {name.lower().replace("-", "_"): name for name in known}
    close = difflib.get_close_matches(word.lower().replace("-", "_").replace(" ", "_"), plain, 1, cutoff)
    return plain[close[0]] if close else None


def meant(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown key."""
    name = nearest(word, known)
    return f"Did you mean {name}?" if name else "Remove it, or begin its name with x-."


def misnamed(path: str) -> tuple[Finding, ...]:
    """The finding for a file that is not called `<name>.worker.md`; none for input that has no file name."""
    name = path.rpartition("/")[2]
    if name in ("", "-") or name.startswith("<") or (name.endswith(SUFFIX) and name != SUFFIX):
        return ()
    message = f"the file is called {quoted(name)}; a contract is called <name>{SUFFIX}"
    return (Finding(path, 1, 1, 1, RULES[MISNAMED].severity, MISNAMED, message, "Rename the file."),)
