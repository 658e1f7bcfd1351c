"""What a docstring says of parameters and of the result, in Google's, NumPy's or reST's form."""

import re
from typing import NamedTuple

from workermd.derive.interfaces.texts import MAX_DESCRIPTION, first_paragraph
from workermd.system.text import cleaned

MAX_LENGTH = 20_000

_GOOGLE_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Params|Keyword Args|Returns?|Yields?|[A-Z][A-Za-z ]{2,30}):$"
).fullmatch
_GOOGLE_ENTRY = re.compile(
    r"\*{0,2}(\w{1,100})(?: *\([^()]{0,200}(?:\([^()]{0,100}\)[^()]{0,100})?\))?:(?: +(.*))?$"
).fullmatch
_NUMPY_ENTRY = re.compile(r"(\*{0,2}\w{1,100}(?: *, *\*{0,2}\w{1,100}){0,10})(?: *:.*)?$").fullmatch
_REST_ENTRY = re.compile(
    r":(?:param|parameter|arg|argument|key|keyword)(?: [^:]{0,200}?)? \*{0,2}(\w{1,100}): *(.*)$"
).fullmatch
_REST_RETURN = re.compile(r":returns?: *(.*)$").fullmatch
_PARAMETERS = {"args", "arguments", "parameters", "params", "keyword args", "other parameters"}
_RESULTS = {"return", "returns", "yield", "yields"}


class DocstringParts(NamedTuple):
    """`summary` is the first paragraph, `parameters` texts by name, `result` a text or ""."""

    summary: str
    parameters: dict[str, str]
    result: str


def parse(docstring: str | None) -> DocstringParts:
    """What a docstring says; empty texts for what it does not."""
    if not docstring or len(docstring) > MAX_LENGTH:
        return DocstringParts(first_paragraph((docstring or "")[:MAX_LENGTH]), {}, "")
    reader = _Reader()
    lines = _dedented(docstring)
    for number, line in enumerate(lines):
        following = lines[number + 1].strip() if number + 1 < len(lines) else ""
        reader.take(line, following)
    reader.finish()
    return DocstringParts(first_paragraph("\n".join(lines)), reader.parameters, reader.result)


def _dedented(docstring: str) -> list[str]:
    """The lines without the indent that all of them share, the first one aside."""
    first, *rest = docstring.expandtabs().split("\n")
    shared = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return [first.strip(), *(line[shared:].rstrip() for line in rest)]


class _Reader:
    """Line by line: which section this is, which entry, what it says so far."""

    def __init__(self) -> None:
        self.parameters: dict[str, str] = {}
        self.result = ""
        self._section = ""
        self._form = ""
        self._names: list[str] = []
        self._words: list[str] = []
        self._indent = 0

    def take(self, line: str, following: str) -> None:
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        if bare and set(bare) == {"-"} and self._form == "numpy":
            return
        if following and set(following) == {"-"} and len(following) > 2 and bare:
            self._begin_section(bare.lower(), "numpy", indent)
        elif (google := _GOOGLE_SECTION(bare)) and (not self._section or indent <= self._indent):
            self._begin_section(google[1].lower(), "google", indent)
        elif entry := _REST_ENTRY(bare):
            self._begin_entry([entry[1]], entry[2])
            self._form, self._indent = "rest", indent
        elif result := _REST_RETURN(bare):
            self._begin_entry(["return"], result[1])
            self._form, self._section, self._indent = "rest", "returns", indent
        elif bare.startswith(":") and self._form == "rest":
            self.finish()
        elif bare:
            self._words_of(bare, indent)

    def _begin_section(self, section: str, form: str, indent: int) -> None:
        self.finish()
        self._section, self._form, self._indent = section, form, indent

    def _begin_entry(self, names: list[str], text: str | None) -> None:
        self.finish()
        self._names, self._words = names, [text or ""]

    def _words_of(self, bare: str, indent: int) -> None:
        if self._form == "rest":
            if self._names and indent > self._indent:
                self._words.append(bare)
            else:
                self.finish()
        elif self._section in _PARAMETERS:
            self._parameter(bare, indent)
        elif self._section in _RESULTS:
            self._result(bare, indent)

    def _parameter(self, bare: str, indent: int) -> None:
        if self._form == "google":
            if indent <= self._indent:
                self._begin_section("", "", indent)
                return
            entry = _GOOGLE_ENTRY(bare)
            if entry and (not self._names or indent <= self._entry_indent):
                self._entry_indent = indent
                self._begin_entry([entry[1]], entry[2])
                return
        elif indent <= self._indent:
            names = _NUMPY_ENTRY(bare)
            if names:
                self._begin_entry([name.strip(" *") for name in names[1].split(",")], "")
            return
        self._words.append(bare)

    _entry_indent = 0

    def _result(self, bare: str, indent: int) -> None:
        if self._form == "numpy" and indent <= self._indent:
            return  # the line of the type
        if self._form == "google" and indent <= self._indent:
            self._begin_section("", "", indent)
            return
        self._names = self._names or ["return"]
        self._words.append(bare)

    def finish(self) -> None:
        """Keep the entry that was open."""
        said = cleaned(" ".join(self._words), MAX_DESCRIPTION)
        for name in self._names:
            if self._section in _RESULTS and name == "return":
                self.result = self.result or said
            elif said:
                self.parameters.setdefault(name, said)
        self._names, self._words = [], []
        if self._form == "rest":
            self._section = ""
