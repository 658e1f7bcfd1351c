"""Two of a kind side by side: editions of a contract, runs, or what performs two contracts."""

import difflib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workermd.contract.diff import difference
from workermd.ledger.sqlite.store import Ledger
from workermd.studio import contract_view, editions
from workermd.studio.frame import PageFrame
from workermd.studio.open_ledger import looked
from workermd.studio.shelf import Shelved


class PatchLine(NamedTuple):
    """`kind` is add, del, at or same."""

    kind: str
    text: str


class ComparedTexts(NamedTuple):
    title: str
    lines: tuple[PatchLine, ...]


def patch(before: str, after: str) -> tuple[PatchLine, ...]:
    """What changed between two texts, with the lines around it."""
    kinds = {"+": "add", "-": "del", "@": "at"}
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return tuple(PatchLine(kinds.get(line[:1], "same"), line) for line in list(lines)[2:])


class ComparePages:
    def __init__(self, frame: PageFrame) -> None:
        self._room = frame.room
        self._frame = frame

    def routes(self) -> list[Route]:
        return [Route("/studio/compare", self.compare)]

    def compare(self, request: Request) -> Response:
        query = request.query_params
        what = query.get("what", "runs")
        a, b = query.get("a", ""), query.get("b", "")
        made = {"contracts": self._contracts, "bindings": self._bindings}.get(what, self._runs)
        compared, changes, problem = made(query.get("worker", ""), a, b) if a and b else ((), (), "")
        values: dict[str, Any] = {"what": what, "a": a, "b": b, "worker": query.get("worker", ""), "compared": compared}
        ids = [each.id for each in self._room.shelf.all()]
        return self._frame.page("compare.html", request, "compare", **values, changes=changes, problem=problem, ids=ids)

    def _contracts(self, worker: str, a: str, b: str) -> tuple[tuple[ComparedTexts, ...], tuple[object, ...], str]:
        shelved, settings = self._room.shelf.of(worker), self._room.settings()
        if shelved is None:
            return self._two(self._room.shelf.of(a), self._room.shelf.of(b))
        return self._two(editions.text(shelved, a, settings), editions.text(shelved, b, settings))

    @staticmethod
    def _two(old: Shelved | None, new: Shelved | None) -> tuple[tuple[ComparedTexts, ...], tuple[object, ...], str]:
        if old is None or new is None:
            return (), (), "One of the two is not there."
        texts = (ComparedTexts("Texts", patch(old.reading.text, new.reading.text)),)
        if old.contract is None or new.contract is None:
            return texts, (), "One of the two has errors, so that its meaning cannot be compared."
        return texts, difference(old.reading, new.reading).changes, ""

    def _runs(self, worker: str, a: str, b: str) -> tuple[tuple[ComparedTexts, ...], tuple[object, ...], str]:
        found = looked(self._room.ledger, lambda ledger: list(_documents(ledger, worker, (a, b))))
        if len(found) < 2:
            return (), (), "One of the two runs is not in this ledger."
        pairs = zip(found[0].items(), found[1].values(), strict=True)
        return tuple(ComparedTexts(title, patch(one, other)) for (title, one), other in pairs), (), ""

    def _bindings(self, _worker: str, a: str, b: str) -> tuple[tuple[ComparedTexts, ...], tuple[object, ...], str]:
        told = []
        for name in (a, b):
            shelved = self._room.shelf.of(name)
            contract = shelved.contract if shelved is not None else None
            binding = contract_view.binding_of(contract, self._room.settings())[0] if contract is not None else None
            if binding is None:
                return (), (), f"No backend is bound to {name[:100]!r}."
            agents = json.dumps(binding.arrangement.get("agents", []), ensure_ascii=False, indent=2)
            told.append(
                "\n".join(f"{fact.name}: {fact.value}" for fact in contract_view.facts(binding)) + f"\n{agents}"
            )
        return (ComparedTexts("What performs them", patch(told[0], told[1])),), (), ""


def _documents(ledger: Ledger | None, worker: str, names: tuple[str, str]) -> Iterator[dict[str, str]]:
    for name in names:
        rows = [row for row in ledger.find(name) if worker in ("", row.worker_id)] if ledger is not None else []
        if rows:
            parts = {"Input": rows[0].input, "Output": rows[0].output or b"{}", "Envelope": rows[0].envelope or b"{}"}
            yield {
                title: json.dumps(json.loads(data), ensure_ascii=False, indent=2, sort_keys=title == "Input")
                for title, data in parts.items()
            }
