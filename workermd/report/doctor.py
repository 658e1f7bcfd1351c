"""What `doctor` found, for people."""

import json
import textwrap

from workermd.protocol.envelope import Document

_LABEL = 17
"""Columns of a label: that of the longest extra and a gap."""

Line = tuple[str, str]
"""A label and what is told."""


def lines(document: Document, columns: int) -> str:
    """The findings as text. What is told folds at `columns`, below itself; paths and addresses stay whole."""
    parts = (
        _extras(document["extras"]),
        [
            ("configuration", document["configuration"] or "none found"),
            ("ledger", f"{document['ledger']['path']} (from {document['ledger']['from']})"),
            *_models(document["models"]),
            *_bindings(document["bindings"]),
            *(
                ("variable", f"{name} is {'set' if there else 'not set'}")
                for name, there in document["variables"].items()
            ),
        ],
        _sandbox(document["sandbox"]),
    )
    told = [
        f"workermd {document['workermd']}, Python {document['python']}, autogen-core {document['autogen-core']}",
        "",
    ]
    for part in parts:
        told += [_folded(f"{label:{_LABEL}}{text}", columns, _LABEL) for label, text in part] + [""]
    told += [_folded(f"problem: {problem}", columns, 2) for problem in document["problems"]] or ["no problem found"]
    return "\n".join(told) + "\n"


def _sandbox(sandbox: Document) -> list[Line]:
    """A line for each means that was tried, and one for each mode."""
    told = [
        (each["name"], f"works: {each['holds']}" if not each["problem"] else f"not here: {each['problem']}")
        for each in sandbox["means"]
    ]
    for mode, held in sandbox["modes"].items():
        holds = ", ".join(f"{name} by {by}" for name, by in held.items() if by and name != "failed") or "nothing"
        failed = f"; {held['failed']}" if held["failed"] else ""
        told.append((f"--sandbox {mode}", f"holds {holds}{failed}"))
    return told


def _folded(line: str, columns: int, indent: int) -> str:
    width = max(columns, 2 * _LABEL)
    return textwrap.fill(line, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def _extras(extras: Document) -> list[Line]:
    told = []
    for extra, versions in extras.items():
        missing = [name for name, version in versions.items() if version is None]
        there = ", ".join(f"{name} {version}" for name, version in versions.items())
        told.append((extra, f"not installed: pip install 'workermd[{extra}]'" if missing else there))
    return told


def _models(models: Document) -> list[Line]:
    told = []
    for name, model in models.items():
        source = (model["api_key_from"] or "").replace(":", " ", 1) or model["api_key_env"]
        key = f", key in {source}" if source else ", no key"
        endpoint = f", {model['endpoint']}" if model["endpoint"] else ""
        provider = f" by {model['provider']}" if model["provider"] else ""
        told.append(("model", f"{name}: {model['model']}{provider} at {model['base_url']}{key}{endpoint}"))
        further = ", ".join(f"{key} = {json.dumps(value)}" for key, value in model["keys"].items())
        told += [("", further)] if further else []
    return told


def _bindings(bindings: list[Document]) -> list[Line]:
    told = []
    for binding in bindings:
        whom = "worker" if "worker" in binding else "mode"
        with_ = f" with {binding['model']}" if binding["model"] else ""
        tools = f", tools {', '.join(binding['tools'])}" if binding["tools"] else ""
        works = "does not work" if binding["problem"] else "works"
        told.append((whom, f"{binding[whom]}: {binding['backend']}{with_}{tools} ({works})"))
    return told
