"""Component files: AutoGen's own, and what AutoGen Studio 0.4 exports, as a document that is yet to be looked at."""

import json

from workermd.backends.autogen.components import ASSISTANT, Unfit, config_of, kind_of, nodes, provider_of, quoted
from workermd.protocol.envelope import Document

MAX_BYTES = 1 << 20


def opened(path: str, label: str) -> Document:
    """The team in a component file: the file itself, or one out of a gallery of AutoGen Studio by its label.

    Raises `Unfit`. A file of Studio 0.4 is brought up to date: see `_update`.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unfit(f"the file cannot be read ({error.strerror}); name one of AutoGen's") from None
    return read(content, label)


def read(content: bytes, label: str) -> Document:
    """The same out of a file's content. Raises `Unfit`."""
    if len(content) > MAX_BYTES:
        raise Unfit(f"found more than {MAX_BYTES} bytes; a team needs fewer; take it apart")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}: " if isinstance(error, json.JSONDecodeError) else ""
        raise Unfit(f"{where}found no JSON; export the team again") from None
    if not isinstance(document, dict):
        raise Unfit(f"found {kind_of(document)}; allowed is an object with provider and config")
    chosen = _out_of_gallery(document, label) if "components" in document else document
    for _, node, _ in nodes(chosen):
        _update(node)
    return chosen


def _out_of_gallery(gallery: Document, label: str) -> Document:
    components = gallery["components"]
    teams = components.get("teams") if isinstance(components, dict) else None
    labels = {str(each.get("label") or ""): each for each in teams or () if isinstance(each, dict)}
    if label in labels:
        return labels[label]
    if len(labels) == 1 and not label:
        return next(iter(labels.values()))
    known = ", ".join(quoted(each) for each in labels) or "none"
    raise Unfit(f"found a gallery with the teams {known}; choose one: team = …")


def _update(node: Document) -> None:
    """An AssistantAgent of component version 1, as AutoGen Studio 0.4 writes it, as one of version 2: it had one
    workbench, where there is a list of them now."""
    if provider_of(node) != ASSISTANT or node.get("component_version", node.get("version")) != 1:
        return
    workbench = config_of(node).get("workbench")
    if isinstance(workbench, dict):
        node["config"]["workbench"] = [workbench]
    node["version"] = node["component_version"] = 2
