"""The pages of contracts: all of them, one with its form, versions, evidence and binding, and the doctor's."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from workermd.ledger.records import RunChoice
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.finding import Finding
from workermd.runner import doctor
from workermd.studio import contract_view, editions, team_view
from workermd.studio.frame import PageFrame, PageProblem
from workermd.studio.open_ledger import looked
from workermd.studio.runs_view import row
from workermd.studio.shelf import Shelved


class ContractPages:
    def __init__(self, frame: PageFrame) -> None:
        self._room = frame.room
        self._frame = frame

    def routes(self) -> list[Route]:
        return [
            Route("/studio/contracts", self.all),
            Route("/studio/contract", self.chosen),
            Route("/studio/doctor", self.doctor),
        ]

    def all(self, request: Request) -> Response:
        shelved, settings = self._room.shelf.all(), self._room.settings()
        cards = looked(self._room.ledger, lambda ledger: contract_view.cards(shelved, ledger, settings))
        return self._frame.page("contracts.html", request, "contracts", cards=cards)

    def chosen(self, request: Request) -> Response:
        """The contract of the address; `again` names a run whose input the form begins with."""
        query = request.query_params
        shelved = self._room.shelf.of(query.get("worker", ""))
        if shelved is None:
            told = PageProblem(
                "No such contract",
                f"No contract {query.get('worker', '')[:100]!r} is open here.",
                "Name its file or its folder when you start the studio.",
            )
            return self._frame.problem(request, 404, told)
        typed = ""
        if shelved.contract is not None:
            again = query.get("again", "")
            typed = looked(self._room.ledger, lambda ledger: _input_of(ledger, shelved.id, again)) if again else ""
        return self.one(request, shelved, typed)

    def one(
        self, request: Request, shelved: Shelved, typed: str = "", wrong: tuple[Finding, ...] = (), status: int = 200
    ) -> Response:
        """A contract. `typed` is an input as it was given, `wrong` what its schema does not allow in it."""
        contract, settings = shelved.contract, self._room.settings()
        binding, unbound = contract_view.binding_of(contract, settings) if contract is not None else (None, "")
        runs = looked(self._room.ledger, lambda ledger: _runs(ledger, shelved.id))
        values: dict[str, Any] = {
            "each": shelved,
            "contract": contract,
            "lines": shelved.reading.text.splitlines(),
            "marked": {each.line: each.message for each in shelved.findings if each.severity == "error"},
            "runs": [row(run) for run in runs],
            "dots_of": [contract_view.dot(run) for run in reversed(runs)],
            "evidence": contract_view.evidence(shelved),
            "binding": contract_view.facts(binding) if binding is not None else (),
            "team": team_view.drawn(binding) if binding is not None else None,
            "unbound": unbound,
            "versions": editions.of(shelved, settings),
            "typed": typed or (_pretty(contract_view.example(contract.input_schema)) if contract is not None else ""),
            "wrong": wrong,
            "schema": contract.input_schema if contract is not None else {},
        }
        return self._frame.page("contract.html", request, "contracts", status, **values)

    def doctor(self, request: Request) -> Response:
        """What `workermd doctor` says; endpoints are asked only by `?ask=endpoints`."""
        asks = request.query_params.get("ask") == "endpoints"
        examined = doctor.examine(self._room.settings(), offline=not asks)
        found, problems = examined.document, examined.problems
        return self._frame.page("doctor.html", request, "doctor", found=found, problems=problems, asks=asks)


def _runs(ledger: Ledger | None, worker_id: str) -> tuple[Any, ...]:
    return ledger.page(RunChoice(worker_id), limit=contract_view.LAST).runs if ledger is not None else ()


def _input_of(ledger: Ledger | None, worker_id: str, run_id: str) -> str:
    run = ledger.look(worker_id, run_id) if ledger is not None else None
    return "" if run is None else _pretty(json.loads(run.input))


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
