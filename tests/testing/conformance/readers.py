"""The kit's documents for readers, made from the cases of our own reader. `python -m tests.testing.conformance.readers` writes them anew."""

import json
import re

from tests.conftest import ROOT
from tests.contract.contract_cases import ALL
from workermd.contract.reader import read

PLACE = ROOT / "workermd" / "testing" / "conformance" / "cases" / "readers.json"
FORMAT = ROOT / "docs" / "format.md"

MOST_BYTES = 2500
"""Of a document: what is about sizes stays with our own tests."""
MOST_ALIKE = 3
"""Documents with the very same findings."""


def rules_by_code() -> dict[str, list[str]]:
    """The sentences of the format that name a code."""
    found: dict[str, list[str]] = {}
    for rule, text in re.findall(r"^- \*\*(F\d+\.\d+)\*\* (.*)$", FORMAT.read_text(), re.MULTILINE):
        for code in re.findall(r"WM\d{3}", text):
            found.setdefault(code, []).append(rule)
    return found


def cases() -> list[dict]:
    """A case for each document that is small enough and not like three before it."""
    rules, alike, made = rules_by_code(), {}, []
    for name, case in ALL:
        data = case.document if isinstance(case.document, bytes) else case.document.encode()
        codes = [each.split()[1] for each in re.findall(r"\d+:\d+ WM\d+", case.found)]
        key = tuple(sorted(set(codes)))
        if len(data) > MOST_BYTES or alike.setdefault(key, 0) == MOST_ALIKE:
            continue
        alike[key] += 1
        found = read(data, "kit.worker.md")
        try:
            contract = {"text": data.decode()}
        except UnicodeDecodeError:
            contract = {"bytes": data.hex()}
        made.append(
            {
                "id": re.sub("[^a-z0-9]+", "-", f"read {name}".lower()).strip("-"),
                "rules": sorted({rule for code in codes for rule in rules.get(code, [])}) or ["F1.1"],
                "title": name.partition("-")[2],
                "contract": contract | ({} if found.contract else {"usable": False}),
                "steps": [{"do": "read", "expect": {"findings": [
                    {"line": each.line, "column": each.column, "code": each.code} for each in found.findings
                ]}}],
            }
        )  # fmt: skip
    return made


def document() -> str:
    rows = ",\n    ".join(json.dumps(case) for case in cases())
    return f'{{\n  "kit": 1,\n  "level": "readers",\n  "cases": [\n    {rows}\n  ]\n}}\n'


if __name__ == "__main__":
    PLACE.write_text(document())
