"""The options that choose runs, as `runs list`, `stats` and `export` share them."""

from typing import Protocol

from workermd.ledger.records import Cursor, RunChoice
from workermd.protocol.errors import UsageError
from workermd.report.moments import moment


class FilterOptions(Protocol):
    """What a command has that chooses runs."""

    @property
    def worker(self) -> str | None: ...
    @property
    def status(self) -> str | None: ...
    @property
    def error(self) -> str | None: ...
    @property
    def since(self) -> str | None: ...
    @property
    def until(self) -> str | None: ...
    @property
    def match(self) -> str | None: ...
    @property
    def tag(self) -> list[str]: ...


def chosen(options: FilterOptions) -> RunChoice:
    """Raises UsageError for what is no moment."""
    return RunChoice(
        worker_id=options.worker,
        status=options.status,
        error_code=options.error,
        since=None if options.since is None else moment(options.since, "--since"),
        until=None if options.until is None else moment(options.until, "--until"),
        text=options.match,
        tags=tuple(options.tag),
    )


def cursor(text: str | None) -> Cursor | None:
    """Where a page goes on, as the page before has told. Raises UsageError."""
    if text is None:
        return None
    at, _, row = text.partition("-")
    if not (at.isdecimal() and row.isdecimal()):
        raise UsageError(f"--behind {text[:40]!r} is no place in the list", "give `next` of the page before")
    return Cursor(int(at), int(row))
