"""Pages that change files: a contract's text, and the team that performs it. Nothing is written before its patch was seen."""

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from workermd.contract.layout import laid_out
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.studio import addresses, autogen_import, contract_view, editing, rendering, team_form, team_view
from workermd.studio.compare_pages import patch
from workermd.studio.deeds import Deeds, Form
from workermd.studio.entrance import BrowserSession
from workermd.studio.frame import PageFrame, PageProblem
from workermd.studio.shelf import Shelved

_SPARE_ROWS = 2
_NEEDS_AUTOGEN = "pip install 'workermd[agentchat]'"


class EditPages:
    def __init__(self, frame: PageFrame, deeds: Deeds) -> None:
        self._room = frame.room
        self._frame = frame
        self._deeds = deeds

    def routes(self) -> list[Route]:
        forms = {
            "check": self._check,
            "edit/preview": self._preview,
            "edit/save": self._save,
            "team/preview": self._preview_team,
            "team/save": self._save_team,
            "team/import": self._import,
        }
        return [
            Route("/studio/edit", self.edit),
            Route("/studio/team", self.team),
            Route("/studio/team/export", self.export),
            *(self._deeds.route(name, deed) for name, deed in forms.items()),
        ]

    # --- contracts --------------------------------------------------------------------------------------

    def edit(self, request: Request) -> Response:
        each = self._room.shelf.of(request.query_params.get("worker", ""))
        if each is None:
            return self._frame.problem(
                request, 404, PageProblem("No such contract", "No contract of this id is open here.")
            )
        try:
            editing.inside(self._room.edit, each.path)
        except UsageError as error:
            return self._frame.problem(request, 403, PageProblem("This file is only shown", error.message, error.hint))
        return self._editor(request, each, each, each.digest)

    def _editor(self, request: Request, each: Shelved, newer: Shelved, digest: str) -> Response:
        values: dict[str, Any] = {"each": each, "newer": newer, "text": newer.reading.text, "digest": digest}
        return self._frame.page("edit.html", request, "contracts", **values)

    def _chosen(self, form: Form) -> tuple[Shelved, Shelved]:
        """The file that a form is about, and what was typed. Raises UsageError."""
        each = self._room.shelf.of(form.get("worker", ""))
        if each is None:
            raise UsageError("no contract of this id is open here", "load the page again")
        editing.inside(self._room.edit, each.path)
        return each, editing.contract_text(each, form.get("text", ""))

    async def _check(self, _request: Request, _session: BrowserSession, form: Form) -> Response:
        _, newer = await run_in_threadpool(self._chosen, form)
        return self._frame.templates.page("findings.html", {"findings": newer.findings})

    async def _preview(self, request: Request, _session: BrowserSession, form: Form) -> Response:
        each, newer = await run_in_threadpool(self._chosen, form)
        if form.get("do") == "layout" and newer.contract is not None:
            newer = editing.contract_text(each, await run_in_threadpool(laid_out, newer.reading))
        if form.get("do") in ("layout", "edit"):
            return await run_in_threadpool(self._editor, request, each, newer, form.get("digest", ""))
        values: dict[str, Any] = {
            "each": each,
            "newer": newer,
            "digest": form.get("digest", ""),
            "text": newer.reading.text,
        }
        lines = patch(each.reading.text, newer.reading.text)
        page = self._frame.page
        return await run_in_threadpool(lambda: page("preview.html", request, "contracts", **values, lines=lines))

    async def _save(self, _request: Request, _session: BrowserSession, form: Form) -> Response:
        each, newer = await run_in_threadpool(self._chosen, form)
        editing.save_contract(self._room.edit, each, newer, form.get("digest", ""))
        return RedirectResponse(addresses.of("contract", worker=newer.id, said="saved"), 303, rendering.HEADERS)

    # --- teams ------------------------------------------------------------------------------------------

    def team(self, request: Request) -> Response:
        return self._team(request, request.query_params.get("worker", ""), None, ())

    def _team(
        self, request: Request, worker: str, wanted: dict[str, Any] | None, left_out: tuple[str, ...]
    ) -> Response:
        each, settings = self._room.shelf.of(worker), self._room.settings()
        if each is None or each.contract is None:
            return self._frame.problem(
                request, 404, PageProblem("No such contract", "No usable contract of this id is open.")
            )
        binding = contract_view.binding_of(each.contract, settings)[0]
        drawn = team_view.drawn(binding) if binding is not None else None
        bound = settings.workers.get(worker)
        fixed = bound is not None and bound.kind not in editing.KINDS
        names = {id(model): name for name, model in settings.models.items()}
        if wanted is None:
            arrangement = binding.arrangement if binding is not None and drawn is not None else {}
            wanted = {
                "backend": binding.kind if binding is not None and drawn is not None else "team",
                "model": names.get(id(binding.model), "") if binding is not None else "",
                "pattern": str(arrangement.get("pattern", "")),
                "start": str(arrangement.get("start", "")),
                "agents": list(arrangement.get("agents", [])),
                "edges": arrangement.get("edges", []),
                "tools": [tool.name for tool in binding.tools] if binding is not None else [],
            }
        agents = [team_form.fields_of(agent) for agent in (*wanted["agents"], *({} for _ in range(_SPARE_ROWS)))]
        values: dict[str, Any] = {
            "each": each,
            "team": drawn,
            "wanted": wanted,
            "agents": agents,
            "edges": team_form.lines_of(wanted["edges"]),
            "left_out": left_out,
            "fixed": fixed,
            "exportable": binding is not None and binding.kind == "team",
        }
        values |= {"kinds": editing.KINDS, "patterns": editing.PATTERNS, "models": sorted(settings.models)}
        return self._frame.page("team.html", request, "contracts", **values, origin=settings.origin)

    def export(self, request: Request) -> Response:
        """The team as a component file, which AutoGen Studio takes."""
        each, settings = self._room.shelf.of(request.query_params.get("worker", "")), self._room.settings()
        binding = contract_view.binding_of(each.contract, settings)[0] if each and each.contract else None
        if each is None or binding is None or binding.kind != "team":
            told = PageProblem("No team to export", "Only a worker whose backend is `team` has one.")
            return self._frame.problem(request, 404, told)
        try:
            from workermd.backends.autogen.exporting import exported  # loads AutoGen, a second the first time
        except ImportError:
            told = PageProblem("AutoGen is not installed", "A team is written by its own words.", _NEEDS_AUTOGEN)
            return self._frame.problem(request, 409, told)
        try:
            document = exported(binding, each.id)
        except ConfigurationError as error:
            return self._frame.problem(request, 409, PageProblem("This is no team yet", error.message, error.hint))
        headers = {**rendering.HEADERS, "Content-Disposition": f'attachment; filename="{each.id}.team.json"'}
        return Response(json.dumps(document, ensure_ascii=False, indent=2), 200, headers, "application/json")

    async def _preview_team(self, request: Request, _session: BrowserSession, form: Form) -> Response:
        change = await run_in_threadpool(self._change, form)
        values: dict[str, Any] = {
            "worker": form.get("worker", ""),
            "change": change,
            "wanted": json.dumps(_wanted(form)),
        }
        values |= {"lines": patch(change.before, change.after), "digest": editing.digest_of(change.before)}
        page = self._frame.page
        return await run_in_threadpool(lambda: page("team_preview.html", request, "contracts", **values))

    async def _save_team(self, _request: Request, _session: BrowserSession, form: Form) -> Response:
        change = await run_in_threadpool(self._change, form)
        editing.save_team(self._room.edit, change, form.get("digest", ""))
        return RedirectResponse(
            addresses.of("contract", worker=form.get("worker", ""), said="saved"), 303, rendering.HEADERS
        )

    def _change(self, form: Form) -> editing.TeamChange:
        if not self._room.edit:
            raise UsageError("nothing may be changed here", "start the studio with --edit DIR")
        return editing.team_change(self._room.edit, self._room.settings(), form.get("worker", ""), _wanted(form))

    async def _import(self, request: Request, _session: BrowserSession, form: Form) -> Response:
        team = autogen_import.imported(form.get("component", ""))
        wanted = {"backend": "team", "model": "", "pattern": team.pattern, "agents": list(team.agents), "tools": []}
        wanted |= {"start": "", "edges": []}
        return await run_in_threadpool(self._team, request, form.get("worker", ""), wanted, team.left_out)


def _wanted(form: Form) -> dict[str, Any]:
    """The table that a form describes; of a preview's form the one that it carries on."""
    if "wanted" in form:
        found = json.loads(form["wanted"])
        return found if isinstance(found, dict) else {}
    return team_form.wanted(form)
