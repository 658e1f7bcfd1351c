"""PageTemplates of contracts: a card each with its last runs, and one contract with its input, versions, evidence and binding."""

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from workermd.config import configuration
from workermd.config.configuration import Flags, Settings
from workermd.contract.model import Contract
from workermd.ledger.records import ListedRun
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError
from workermd.studio import addresses, wording
from workermd.studio.shelf import Shelved
from workermd.studio.wording import StateWords
from workermd.task.binding import Binding, Model

LOOKED_AT = 1000
"""Of the newest runs, whose last are shown at each contract."""

LAST = 20

_SECTIONS = ("extracted from", "evidence notes")
_CITED = re.compile(r"`(?P<path>[^`\s:]+):(?P<first>\d+)(?:-(?P<last>\d+))?`")
_ADDRESS = re.compile(r"https?://[^\s)>\]`]+")


class RunDot(NamedTuple):
    """One of the last runs."""

    address: str
    state: StateWords
    run_id: str


class ContractCard(NamedTuple):
    """A contract on the list. `passed` of `ended` runs were ok, among the last ones."""

    id: str
    name: str
    version: str
    purpose: str
    path: str
    usable: bool
    backend: str
    dots: tuple[RunDot, ...]
    passed: int
    ended: int
    errors: int
    warnings: int


def cards(shelved: Iterable[Shelved], ledger: Ledger | None, settings: Settings) -> tuple[ContractCard, ...]:
    """Every contract with its last runs among the newest of the ledger."""
    runs = ledger.page(limit=LOOKED_AT).runs if ledger is not None else ()
    return tuple(_card(each, [run for run in runs if run.worker_id == each.id][:LAST], settings) for each in shelved)


def _card(each: Shelved, runs: list[ListedRun], settings: Settings) -> ContractCard:
    contract = each.contract
    ended = [run for run in runs if run.state == "done"]
    bound = binding_of(contract, settings)[0] if contract is not None else None
    return ContractCard(
        id=each.id,
        name=contract.name if contract is not None else each.id,
        version=contract.version if contract is not None else "",
        purpose=contract.purpose if contract is not None else "This file cannot be used as a contract yet.",
        path=each.path,
        usable=contract is not None,
        backend=bound.kind if bound is not None else "",
        dots=tuple(dot(run) for run in reversed(runs)),
        passed=sum(run.status == "ok" for run in ended),
        ended=len(ended),
        errors=sum(finding.severity == "error" for finding in each.findings),
        warnings=sum(finding.severity == "warning" for finding in each.findings),
    )


def dot(run: ListedRun) -> RunDot:
    return RunDot(addresses.run(run.worker_id, run.run_id), wording.state(run.status or run.state), run.run_id)


def binding_of(contract: Contract, settings: Settings) -> tuple[Binding | None, str]:
    """What performs a contract, or why nothing does."""
    try:
        return configuration.binding_for(contract.id, contract.mode, settings, Flags()), ""
    except ConfigurationError as error:
        return None, f"{error.message}; {error.hint}"


class BindingFact(NamedTuple):
    name: str
    value: str


def facts(binding: Binding) -> tuple[BindingFact, ...]:
    """A binding in words. Of a key, a header or a variable only the name is told; nothing of a binding holds more."""
    told: list[tuple[str, str]] = [("Backend", binding.kind), ("Chosen by", binding.origin)]
    told += [("Model", _model(model)) for model in dict.fromkeys(_hashless(binding.all_models))]
    told += [("Function", binding.function), ("Program", " ".join(binding.command))]
    told += [
        (key.replace("_", " ").capitalize(), _plain(value))
        for key, value in binding.arrangement.items()
        if key != "agents"
    ]
    told += [("Tools", ", ".join(tool.name for tool in binding.tools))]
    told += [
        ("Variables", ", ".join(binding.env)),
        ("Secret variables", ", ".join((*binding.secret_env, *binding.key_variables))),
    ]
    told += [("Vouched for", ", ".join(binding.vouched))]
    return tuple(BindingFact(name, value) for name, value in told if value)


def _hashless(models: Iterable[Model]) -> list[str]:
    return [_model(model) for model in models]


def _model(model: Model | str) -> str:
    if isinstance(model, str):
        return model
    return f"{model.name} at {model.base_url}" + (f", key in {model.api_key_env}" if model.api_key_env else "")


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class EvidenceLine(NamedTuple):
    """A line of evidence. `address` leads to the place that it cites, empty where it cites none that can be shown."""

    text: str
    address: str


def evidence(each: Shelved) -> tuple[EvidenceLine, ...]:
    """What the contract offers as evidence, each line with the place in the repository where it is known."""
    contract = each.contract
    if contract is None:
        return ()
    repository = str(contract.front_matter.get("source_repository", "")).rstrip("/")
    commit = str(contract.front_matter.get("source_commit", "") or contract.front_matter.get("repository_commit", ""))
    found, inside = [], False
    for line in each.reading.text.splitlines():
        if line.startswith("#"):
            inside = line.lstrip("# ").lower().startswith(_SECTIONS)
        elif inside and line.strip().startswith(("-", "*")):
            text = line.strip().lstrip("-* ")
            found.append(EvidenceLine(text, _address(text, repository, commit)))
    return tuple(found)


def _address(text: str, repository: str, commit: str) -> str:
    cited = _CITED.search(text)
    if cited is not None and repository.startswith("https://github.com/") and commit:
        lines = f"#L{cited['first']}" + (f"-L{cited['last']}" if cited["last"] else "")
        return f"{repository}/blob/{commit}/{cited['path']}{lines}"
    plain = _ADDRESS.search(text)
    return plain[0] if plain is not None else ""


def example(schema: Document) -> Document:
    """The least that a form begins with: a key for every field that has to be there."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: _blank(properties.get(name)) for name in schema.get("required", ()) if isinstance(name, str)}


def _blank(schema: object) -> object:
    if not isinstance(schema, dict):
        return ""
    for given in ("default", "const"):
        if given in schema:
            return schema[given]
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return example(schema)
    blanks: dict[object, object] = {"array": [], "boolean": False, "integer": schema.get("minimum", 0), "number": 0}
    return blanks.get(kind, "") if isinstance(kind, str) else ""
