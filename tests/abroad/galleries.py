"""Counts the teams, agents and workflows of others in a folder: which load, which do not, and for what reason.

    make galleries DIR=path/to/clones

DIR is a clone of AutoGen's or of Agent Framework's repository, or a folder with several. A team that loads answers one task
too, against the scripted server; tools are bound under the names that the file has, and do nothing.
"""

import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.backends.agents.attempts import Tried, tried
from workermd.backends.autogen import studio, team
from workermd.backends.autogen.components import FORMS, Unfit, provider_of
from workermd.backends.autogen.needs import Needs, needs_of
from workermd.contract import yaml_values
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError
from workermd.task.binding import Binding, Model, ToolBinding
from workermd.testing import Received, Text

ANSWER = '{"status": "ok", "result": {"a": 1}}'
MODEL = Model("scripted-1", "http://127.0.0.1:1")
NOTHING = "tests.abroad.galleries:nothing"


class Counted(NamedTuple):
    """A file's team, agent or workflow: what became of it, and the reason or the keys."""

    what: str
    name: str
    outcome: str
    told: str


def nothing(text: str = "") -> str:
    """A tool that does nothing, for every name that a file has."""
    return text


def teams(path: Path, shown: str) -> Iterator[Counted]:
    """Each team of a component file or of a gallery, as it is and with what its refusal names."""
    for label, name in _labels(path, shown):
        try:
            document = studio.opened(str(path), label)
            wanted = needs_of(document)
        except Unfit as unfit:
            yield Counted("team", name, "refused", str(unfit))
            continue
        as_it_is = team.unusable(_binding(path, label, Needs()))
        if not as_it_is:
            yield Counted("team", name, *_spoke(path, label, Needs(), "loads as it is"))
        elif wanted is None:
            yield Counted("team", name, "refused", as_it_is.partition(f"{path.name}: ")[2])
        else:
            yield Counted("team", name, *_spoke(path, label, wanted, f"loads with {wanted.told()}"))


def _labels(path: Path, shown: str) -> list[tuple[str, str]]:
    document = json.loads(path.read_bytes())
    if "components" not in document:
        return [("", shown)]
    return [(each["label"], f"{shown}: {each['label']}") for each in document["components"].get("teams") or ()]


def _binding(path: Path, label: str, wanted: Needs) -> Binding:
    tools = tuple(ToolBinding(name, function=NOTHING) for name in wanted.tools)
    return Binding(
        "team", "here", model=MODEL, tools=tools, folder=str(path.parent), arrangement=_arranged(path, label, wanted)
    )


def _arranged(path: Path, label: str, wanted: Needs) -> Document:
    given = {key: value for key, value in wanted.keys().items() if key != "tools"}
    return {
        "component": path.name,
        **({"team": label} if label else {}),
        **given,
        "allow_providers": list(wanted.allow_providers),
    }


def _spoke(path: Path, label: str, wanted: Needs, told: str) -> tuple[str, str]:
    """Whether the team is loaded by AutoGen and answers; each speaker says the same."""
    tools = tuple(ToolBinding(name, function=NOTHING) for name in wanted.tools)
    arrangement = _arranged(path, label, wanted)
    ended = _attempt("team", path, arrangement=arrangement, tools=tools)
    if ended.result.output:
        return "answers", f"{told}; {len(ended.server.requests)} requests"
    kind = (ended.result.failure or {}).get("kind", "")
    if ended.server.requests and kind in ("needs_human", "invalid_output"):
        return "answers", f"{told}; {len(ended.server.requests)} requests, then: {ended.message[:160]}"
    return "loads, and does not begin", f"{told}; {ended.message[:200]}"


def _attempt(kind: str, path: Path, **binding: Any) -> Tried:
    """One attempt on a copy of the file: nothing is written beside the user's own."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, folder)
        return tried(kind, _answer, Path(folder), **binding)


def _answer(request: Received) -> Text:
    """Whoever is asked for the form of the answer gives it; a selector hears a name, everybody else ends the talk."""
    if "response_format" in request.body:
        return Text(ANSWER)
    names = re.findall(r"read the above|role to play|Only return the role|speaks next", str(request.body))
    among = re.search(r"\[((?:'[^']+'(?:, )?)+)\]", str(request.body["messages"][0]["content"])) if names else None
    return Text(among[1].split("'")[1] if among else "TERMINATE")


def declared(path: Path, shown: str) -> Iterator[Counted]:
    """An agent or a workflow of Agent Framework's declarative YAML."""
    from workermd.backends.agent_framework import declared as declarations

    value = yaml_values.read(path.read_text()).value
    if not isinstance(value, dict):
        return
    steps = value.get("kind") == "Workflow" or not {"trigger", "actions"}.isdisjoint(value)
    if not steps and value.get("kind") not in ("Prompt", "Agent"):
        return
    what = "workflow" if steps else "agent"
    tools = tuple(ToolBinding(name, function=NOTHING) for name in declarations.tool_names(value))
    binding = Binding(
        "agent-framework", "here", model=MODEL, tools=tools, folder=str(path.parent), arrangement={"declarative": path.name}
    )  # fmt: skip
    try:
        declarations.read(binding)
    except ConfigurationError as error:
        named = "refused as a workflow" if "declares a workflow" in error.message else "refused"
        yield Counted(what, shown, named, error.message.partition(": ")[2])
        return
    ended = _attempt("agent-framework", path, arrangement={"declarative": path.name}, tools=tools)
    bound = f"with tools {', '.join(tool.name for tool in tools)}" if tools else "as it is"
    yield Counted(what, shown, "answers" if ended.result.output else "does not begin", ended.message or bound)


def counted(folder: Path) -> Iterator[Counted]:
    for path in sorted(folder.rglob("*")):
        shown = str(path.relative_to(folder))
        if path.suffix == ".json" and _is_team(path):
            yield from teams(path, shown)
        if path.suffix in (".yaml", ".yml") and path.stat().st_size < 1 << 16:
            try:
                yield from declared(path, shown)
            except (yaml_values.YamlError, UnicodeDecodeError):
                continue


def _is_team(path: Path) -> bool:
    if path.stat().st_size > studio.MAX_BYTES:
        return False
    try:
        document = json.loads(path.read_bytes())
    except ValueError:
        return False
    if not isinstance(document, dict):
        return False
    provider = provider_of(document)
    components = document.get("components")
    return (isinstance(components, dict) and "teams" in components) or (
        provider in FORMS and FORMS[provider].role == "team"
    )


def main(folder: Path) -> None:
    found = list(counted(folder))
    for each in found:
        print(f"{each.what:8}  {each.outcome}: {each.name}\n          {each.told}")
    for what in ("team", "agent", "workflow"):
        of = [each for each in found if each.what == what]
        told = ", ".join(f"{number} {outcome}" for outcome, number in Counter(each.outcome for each in of).items())
        print(f"{what}s: {len(of)}{f' ({told})' if told else ''}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
