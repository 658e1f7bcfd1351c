"""`workermd runs tail`: follow what happens in the ledger until it is interrupted, or nobody reads on."""

import json
import os
import select
from typing import NamedTuple

from workermd.cli import settings
from workermd.ledger.following import Following, LedgerEvent
from workermd.ledger.opening import open_to_read
from workermd.ledger.records import RunChoice
from workermd.protocol.address import is_address, masked
from workermd.protocol.envelope import timestamp
from workermd.report import say
from workermd.report.moments import local
from workermd.system.text import printable

_EVERY_MILLISECONDS = 200


class RunsTailOptions(NamedTuple):
    worker: str | None
    status: str | None
    match: str | None
    last: int
    format: str
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: RunsTailOptions) -> int:
    path = settings.load(options.config, options.no_config, options.ledger).ledger
    try:
        if not (is_address(path) or os.path.exists(path)):
            say.note(f"{masked(path)}: there is no ledger yet; waiting for one")
        while (ledger := open_to_read(path)) is None:
            if _is_left():
                return 0
        with ledger:
            wanted = RunChoice(options.worker, options.status, text=options.match)
            _follow(Following(ledger, wanted, options.last), options.format)
    except KeyboardInterrupt:
        return 0
    return 0


def _follow(following: Following, form: str) -> None:
    tell = _line if form == "jsonl" else _text
    while True:
        found = following.new()
        if found and not say.document("".join(map(tell, found)).encode("utf-8", "replace")):
            return
        if not found and _is_left():
            return


def _is_left() -> bool:
    """Whether nobody reads standard output any more; waits a little for it."""
    waiting = select.poll()
    waiting.register(1, 0)
    return any(event & select.POLLERR for _, event in waiting.poll(_EVERY_MILLISECONDS))


def _text(each: LedgerEvent) -> str:
    what = each.event
    if each.event == "started":
        what = f"attempt {each.n} started"
    elif each.event in ("pruned", "erased"):
        what = f"{each.n} run{'' if each.n == 1 else 's'} {each.event}"
    elif each.status is not None:
        what = f"settled: {each.status}"
    return f"{local(each.at)}  {printable(f'{each.worker_id} {each.run_id}'.strip() or '-')}  {what}\n"


def _line(each: LedgerEvent) -> str:
    told = {
        "at": timestamp(each.at),
        "event": each.event,
        "worker_id": each.worker_id or None,
        "run_id": each.run_id or None,
        "n": each.n,
        "status": each.status,
    }
    return json.dumps(told, ensure_ascii=False) + "\n"
