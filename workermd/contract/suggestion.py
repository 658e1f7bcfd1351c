"""What was probably meant by a value of the wrong form: every guess is tried against the form, so none is wrong again."""

import re
from collections.abc import Iterator

from workermd.contract.forms import Form, WrongForm

_SECONDS = {
    "ms": 0.001,
    "s": 1,
    "sec": 1,
    "second": 1,
    "seconds": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "minutes": 60,
    "h": 3600,
}
_LONGEST = 100
"""Characters: a long value may be no value at all, and is not repeated."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]+)", re.IGNORECASE)
_EXAMPLE = re.compile(r"such as (\[.*?\]|[\w./-]*\w)")


def written_right(form: Form, value: object, textual: bool) -> str:
    """The value in the right form, as it has to be written; empty where none is near."""
    for guess in _guesses(str(value).strip()):
        try:
            form(guess if textual or not re.fullmatch(r"[0-9.]+", guess) else float(guess), textual)
        except (WrongForm, ValueError):
            continue
        return guess
    return ""


def hint(form: Form, value: object, textual: bool, wrong: WrongForm) -> str:
    """What to write: the value in the right form, else the example that the phrase has, else the phrase."""
    guess = written_right(form, value, textual)
    if guess and len(guess) <= _LONGEST:
        return f"Write `{guess}`."
    example = _EXAMPLE.search(str(wrong))
    return f"Write for example `{example[1]}`." if example else f"Write {wrong}."


def _guesses(text: str) -> Iterator[str]:
    yield text
    yield text.strip("\"'`")
    yield text.replace(",", ".")
    if found := _DURATION.fullmatch(text):
        yield f"{float(found[1]) * _SECONDS.get(found[2].lower(), 0):g}"
    yield text.lstrip("vV")
    yield f"{text.lstrip('vV')}.0.0"
    if any(map(str.isalpha, text)):
        yield re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-")
    bare = re.sub(r"[\[\]\"'`]", "", text).replace(",", " ").split()
    yield f"[{', '.join(bare)}]"
    yield text.replace("/", "-")
    yield f"https://{text}"
