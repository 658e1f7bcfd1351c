"""What all pages are made from, and the frame around each of them."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from workermd.config.configuration import Settings
from workermd.protocol.address import masked
from workermd.protocol.envelope import Document
from workermd.protocol.errors import WorkermdError
from workermd.studio import rendering
from workermd.studio.entrance import Entrance
from workermd.studio.open_ledger import looked
from workermd.studio.shelf import Shelf

RunName = tuple[str, str]
"""The ids of a worker and of its run."""

_MOST_FAILURES = 500


class StartFailures:
    """Why runs could not even begin: the ledger has no attempt that would say so."""

    def __init__(self) -> None:
        self._told: dict[RunName, tuple[str, str]] = {}

    def note(self, name: RunName, error: BaseException | None) -> None:
        """The end of a run on its way; None where it began."""
        if error is None:
            self._told.pop(name, None)
            return
        if len(self._told) >= _MOST_FAILURES:
            self._told.clear()
        if isinstance(error, WorkermdError):
            self._told[name] = (error.message, error.hint)
        else:
            self._told[name] = ("workermd failed: this is a fault of its own.", "")

    def of(self, name: RunName) -> tuple[str, str] | None:
        """Message and hint."""
        return self._told.get(name)


class StudioRoom(NamedTuple):
    """What every page is made from. `settings` reads the configuration anew; `under_way` tells of a run that this server
    carries out, `happening` what happened in it so far; `acts` says that runs are started here; `edit` is the folder that may be written to, empty where none may."""

    ledger: str
    shelf: Shelf
    settings: Callable[[], Settings]
    entrance: Entrance
    failures: StartFailures
    under_way: Callable[[RunName], Document | None] = lambda _name: None
    happening: Callable[[RunName], list[Document]] = lambda _name: []
    acts: bool = False
    edit: str = ""


SAID = {
    "decided": ("The decision is on record, and the run goes on.", "good"),
    "ended": ("The decision is on record, and the run is settled.", "good"),
    "cancelled": ("The run is being ended: its attempt and all that it started.", "busy"),
    "nothing": ("Nobody here carries this run out, so there is nothing to cancel.", "wait"),
    "going": ("The run goes on.", "good"),
    "begun": ("The run is on its way.", "good"),
    "replayed": ("This input had its answer already: here it is, and nothing was run.", "good"),
    "saved": ("Saved.", "good"),
}
"""What a page says after a form was sent, by the word in its address."""


class PageProblem(NamedTuple):
    """Why something is not shown or not done. `back` is the address that a button leads to, the runs' where empty."""

    title: str
    message: str
    hint: str = ""
    back: str = ""


class PageFrame:
    def __init__(self, room: StudioRoom) -> None:
        self.room = room
        self.templates = rendering.PageTemplates()

    def page(self, name: str, request: Request, here: str, status: int = 200, **values: Any) -> Response:
        """A page with what all of them show. It reads the ledger: call it beside the loop."""
        session = self.room.entrance.session(request)
        said, tone = SAID.get(request.query_params.get("said", ""), ("", ""))
        shared = {
            "here": here,
            "waiting": looked(self.room.ledger, lambda ledger: len(ledger.pending()) if ledger is not None else 0),
            "who": session.name if session is not None else "",
            "token": session.csrf if session is not None else "",
            "ledger": masked(self.room.ledger),
            "said": said,
            "said_tone": tone,
            "may_act": self.room.acts and session is not None,
            "may_edit": bool(self.room.edit) and session is not None,
            "now": time.time_ns() // 1000,
        }
        return self.templates.page(name, shared | values, status)

    def problem(self, request: Request, status: int, told: PageProblem) -> Response:
        """A refusal as a page."""
        return self.page("problem.html", request, "", status, **told._asdict())
