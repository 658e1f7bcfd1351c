"""Changes of files in the folder of `--edit`: contracts, and tables of workers with agents; each is seen as a patch first.

What a browser may write is bounded here and nowhere else (S6.1): a contract chooses no code, and of a configuration only
the table of a worker whose kind has agents, with keys that name models and tools which the operator has put there.
"""

import os
import tempfile
from typing import Any, NamedTuple

from workermd.config import configuration, rewrite
from workermd.config.configuration import Flags, Settings
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.studio import team_form
from workermd.studio.shelf import Shelved, shelved
from workermd.system import files
from workermd.system.digest import sha256
from workermd.task.binding import Binding

KINDS = ("chat", "team", "ag2", "agent-framework")
"""Of bindings that may be changed: agents and models, and nothing that names code, a program or an address."""

PATTERNS = ("", "pair", "round-robin", "selector", "swarm", "graph", "magentic", "sequence", "nested")
_WRITTEN = ("backend", "model", "models", "pattern", "agents", "tools", "instructions", "edges", "start")
_AGENT_KEYS = (*team_form.AGENT_WORDS, *team_form.AGENT_LISTS)


def inside(folder: str, path: str) -> str:
    """The real path of a file in the folder. Raises UsageError for one that is elsewhere, by a link too."""
    real = os.path.realpath(path)
    if not folder or os.path.commonpath([folder, real]) != folder:
        raise UsageError(f"{path}: not in the folder of --edit", "start the studio with --edit and that folder")
    return real


def contract_text(each: Shelved, typed: str) -> Shelved:
    """What a browser sent as the text of a contract: it ends lines with CR LF, which stays only where the file does so."""
    text = typed.replace("\r\n", "\n")
    if b"\r\n" in each.data:
        text = text.replace("\n", "\r\n")
    return shelved(text.encode("utf-8", "replace"), each.path)


def save_contract(folder: str, each: Shelved, newer: Shelved, digest: str) -> None:
    """Write a contract. Raises UsageError where the file was changed meanwhile, OutputUnwritable."""
    path = inside(folder, each.path)
    if each.digest != digest:
        raise UsageError(f"{each.path}: was changed meanwhile", "load the editor again; what you typed is not saved")
    files.write(path, newer.data)


class TeamChange(NamedTuple):
    """A configuration before and after."""

    path: str
    before: str
    after: str


def team_change(folder: str, settings: Settings, worker_id: str, wanted: dict[str, Any]) -> TeamChange:
    """The configuration with a worker's table as it is wanted. Raises UsageError for what a browser may not choose,
    ConfigurationError for what would not work."""
    path = inside(folder, settings.origin or os.path.join(folder, configuration.FILE_NAME))
    bound = settings.workers.get(worker_id)
    if bound is not None and bound.kind not in KINDS:
        raise UsageError(f"{worker_id}: bound to {bound.kind!r}, which names code", "change it in the file itself")
    table = {key: wanted[key] for key in _WRITTEN if wanted.get(key)}
    if table.get("backend") not in KINDS:
        raise UsageError("this backend cannot be chosen here", f"choose one of {', '.join(KINDS)}")
    if table.get("model") not in settings.models:
        known = ", ".join(sorted(settings.models)) or "none"
        raise UsageError(
            f"no model of this name in the configuration; it has: {known}", "write [models.NAME] into the file first"
        )
    arrangement = bound.arrangement if bound is not None else {}
    chosen = [{key: agent[key] for key in _AGENT_KEYS if key in agent} for agent in wanted.get("agents", ())]
    table |= {"agents": team_form.kept(chosen, arrangement.get("agents"))} if chosen else {}
    if "edges" in table:
        table["edges"] = team_form.kept_edges(table["edges"], arrangement.get("edges"))
    if further := _further_models(table, settings, bound):
        table["models"] = further
    gone = tuple(key for key in _WRITTEN if key not in table and key != "instructions")
    rewritten = rewrite.with_table(path, ("workers", worker_id), table, gone)
    _check(rewritten.after, path)
    return TeamChange(path, rewritten.before, rewritten.after)


def _further_models(table: dict[str, Any], settings: Settings, bound: Binding | None) -> list[str]:
    """The models that a worker lists beside its own: those that it listed, and those of its agents. Raises UsageError."""
    names = [name for name in (bound.models if bound is not None else ()) if name in settings.models]
    for agent in table.get("agents", ()):
        if (name := agent.get("model")) and name not in names:
            names.append(name)
    for name in names:
        if name not in settings.models:
            known = ", ".join(sorted(settings.models))
            raise UsageError(
                f"no model {name[:40]!r} in the configuration; it has: {known}", "write it into the file first"
            )
    return [name for name in dict.fromkeys(names) if name != table["model"]]


def _check(text: str, path: str) -> None:
    """Raises ConfigurationError, its place the file that is to be written."""
    with tempfile.TemporaryDirectory() as folder:
        tried = os.path.join(folder, os.path.basename(path))
        files.write(tried, text.encode())
        try:
            configuration.load(Flags(config=tried))
        except ConfigurationError as error:
            raise ConfigurationError(error.message.replace(tried, path), error.hint) from None


def save_team(folder: str, change: TeamChange, digest: str) -> None:
    """Raises UsageError where the file was changed meanwhile, OutputUnwritable."""
    if digest_of(change.before) != digest:
        raise UsageError(f"{change.path}: was changed meanwhile", "load the page again; what you typed is not saved")
    files.write(inside(folder, change.path), change.after.encode())


def digest_of(text: str) -> str:
    return sha256(text.encode()).hex()
