"""Text of a repository made fit to stand in a contract: one line, no invisible characters, capped."""

from collections.abc import Iterable

from workermd.system.text import cleaned

MAX_NAME = 120
MAX_KEY = 200
"""Of a property: an argument keeps its name as it is, or is left out."""
MAX_SUMMARY = 300
MAX_DESCRIPTION = 600


def name_of(text: object) -> str:
    return cleaned(text, MAX_NAME)


def summary_of(*texts: object) -> str:
    """The first text that says something."""
    return next((said for said in (cleaned(text, MAX_SUMMARY) for text in texts) if said), "")


def first_paragraph(text: object) -> str:
    """Of a docstring or a help text: what stands before the first empty line."""
    return summary_of(text.strip().partition("\n\n")[0]) if isinstance(text, str) else ""


def unique(name: str, taken: set[str]) -> str:
    """`name`, or `name-2` and so on where it is taken; the answer is taken from now on."""
    answer, number = name, 1
    while answer in taken:
        number += 1
        answer = f"{name}-{number}"
    taken.add(answer)
    return answer


class Notes:
    """What could not be expressed, each sentence once, in the order found."""

    __slots__ = ("_said",)

    def __init__(self, said: Iterable[str] = ()) -> None:
        self._said: dict[str, None] = dict.fromkeys(said)

    def add(self, sentence: str) -> None:
        if len(self._said) < MAX_NOTES:
            self._said.setdefault(sentence)

    def all(self) -> tuple[str, ...]:
        return tuple(self._said)


MAX_NOTES = 20
