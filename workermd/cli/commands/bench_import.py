"""`workermd bench import FILE`: a data set of another program as cases, one JSON object a line."""

import json
from typing import NamedTuple

from workermd.bench.cases import Source, load_cases
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.system import files


class BenchImportOptions(NamedTuple):
    file: str
    format: str
    map: list[str]
    write: str | None
    quiet: bool


def execute(options: BenchImportOptions) -> int:
    cases = load_cases(Source(options.file, options.format, _mapped(options.map)), "")
    data = "".join(json.dumps(case.document, ensure_ascii=False) + "\n" for case in cases).encode()
    if options.write:
        files.write(options.write, data)
        if not options.quiet:
            say.note(f"{len(cases)} case{'s' * (len(cases) != 1)} written to {options.write}")
    else:
        say.document(data)
    return 0


def _mapped(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        target, equals, source = pair.partition("=")
        if not equals or not target or not source:
            raise UsageError("--map takes TARGET=SOURCE", "write for example --map input.question=Question")
        found[target] = source
    return found
