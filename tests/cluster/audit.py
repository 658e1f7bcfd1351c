"""The auditor of the storm: what the ledger says, against what tasks wrote down, what clients were told, and what lay on disks.

An attempt whose task had come to its end, and whose result file was seen on a machine's disk, had finished. It may be
repeated only where that machine was lost, or was away for longer than its lease: the database notes each judgement with the
lease that it looked at, the storm when each machine was away.
"""

import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from tests.cluster.machines import TOKEN, Asked, Machines, database_of

_NOTES = """
CREATE TABLE public.judgements (token text, outcome text, node text, at timestamptz, lease_until timestamptz, judge text);
CREATE FUNCTION public.note_judgement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.judgements SELECT NEW.token, NEW.outcome, NEW.node, clock_timestamp(), d.lease_until, host(inet_client_addr())
  FROM workermd.nodes d WHERE d.id = NEW.node;
  RETURN NULL; END $$;
CREATE TRIGGER note_judgement AFTER UPDATE ON workermd.attempts FOR EACH ROW
  WHEN (OLD.outcome IS NULL AND NEW.outcome IS NOT NULL) EXECUTE FUNCTION public.note_judgement();
CREATE TABLE public.renewals (node text, at timestamptz);
CREATE FUNCTION public.note_renewal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.renewals VALUES (NEW.id, clock_timestamp());
  RETURN NULL; END $$;
CREATE TRIGGER note_renewal AFTER INSERT OR UPDATE ON workermd.nodes FOR EACH ROW EXECUTE FUNCTION public.note_renewal();
"""
_RUNS = "SELECT run_id, state, status, attempts, max_attempts, output FROM workermd.runs"
_ATTEMPTS = """
SELECT r.run_id, a.n, a.outcome, a.token, a.node FROM workermd.attempts a JOIN workermd.runs r ON r.id = a.run
"""
_JUDGED = """
SELECT j.token, j.outcome, j.node, extract(epoch FROM j.at)::float8, extract(epoch FROM j.lease_until)::float8,
  coalesce((SELECT extract(epoch FROM max(n.at))::float8 FROM public.renewals n WHERE n.node = j.node AND n.at <= j.at), 0),
  j.judge
FROM public.judgements j
"""
_LOOK_SECONDS = 0.1
LATE_SECONDS = 2.0
"""A machine that stood still goes on for so long at most before its attempts heed the lease that has run out."""


class Away(NamedTuple):
    """A machine did nothing that the database could have seen, from then until then (seconds since 1970)."""

    machine: str
    how: str
    began: float
    ended: float


def note_judgements(server: Asked, address: str) -> None:
    server.execute(_NOTES, database_of(address))


class Watch:
    """Looks at the machines' disks, and at the answers in the ledger as they appear, while the storm goes on."""

    def __init__(self, server: Asked, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self._ended = threading.Event()
        self.finished: dict[str, str] = {}
        """Tokens whose result was seen on disk, each with its machine."""
        self.named: dict[str, str] = {}
        """What nodes are called in the ledger, each with its machine."""
        self.lost: set[str] = set()
        """Nodes whose spool folder was lost."""
        self.shown: dict[str, bytes] = {}
        self.changed: set[str] = set()
        self._threads = [threading.Thread(target=turn, daemon=True) for turn in (self._disks, self._answers)]
        for thread in self._threads:
            thread.start()

    def look(self) -> None:
        for folder in self._machines.folder.iterdir():
            try:
                words = (folder / "id").read_text().split()
                found = os.listdir(folder / "ledger.results")
            except OSError:
                continue
            if words:
                self.named[words[0]] = folder.name
            self.finished |= {token: folder.name for token in found if TOKEN.fullmatch(token)}

    def _disks(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self.look()

    def _answers(self) -> None:
        """What was shown once is never another. Asked as clients ask: over what the network and the servers let through."""
        while not self._ended.wait(1.0):
            try:
                rows = self._server.execute(
                    "SELECT run_id, output FROM workermd.runs WHERE state = 'done'", database_of(self._machines.address)
                )
            except (psycopg.Error, OSError):
                continue
            for run_id, output in rows:
                if self.shown.setdefault(str(run_id), bytes(output)) != output:  # type: ignore[call-overload]
                    self.changed.add(str(run_id))

    def close(self) -> None:
        self.look()
        self._ended.set()
        for thread in self._threads:
            thread.join()


class Audit:
    """The verdict over one seed. Faults are those of `FAULTS` that are not 0; the rest explains them."""

    FAULTS = (
        "lost", "changed", "wrong_answers", "open_attempts", "beyond_bound", "started_twice", "unclaimed", "overlaps",
        "repeated", "judged_early", "ended_by_itself", "ledger_unsound",
    )  # fmt: skip

    def __init__(
        self,
        server: Asked,
        machines: Machines,
        watch: Watch,
        away: list[Away],
        told: Mapping[str, set[bytes]],
        wanted: int,
        server_starts: Sequence[float],
        grace: float,
    ) -> None:
        database = database_of(machines.address)
        runs = server.execute(_RUNS, database)
        attempts = server.execute(_ATTEMPTS, database)
        judged = server.execute(_JUDGED, database)
        notes = _notes(machines.evidence)
        starts = Counter((run_id, n) for word, run_id, n, _ in notes if word == "start")
        ends = Counter(run_id for word, run_id, _, _ in notes if word == "end")
        outputs = {str(run_id): bytes(output) for run_id, state, _, _, _, output in runs if state == "done"}  # type: ignore[call-overload]
        self.runs = len(runs)
        self.attempts = len(attempts)
        self.crashed = sum(outcome == "crashed" for _, _, outcome, _, _ in attempts)
        self.results_seen = len(watch.finished)
        self.answers_told = sum(map(len, told.values())) + len(watch.shown)
        self.ended_twice = sum(count > 1 for count in ends.values())
        self.lost = wanted - sum(state == "done" for _, state, *_ in runs)
        self.changed = len(
            watch.changed
            | {run_id for run_id, output in watch.shown.items() if outputs.get(run_id) != output}
            | {run_id for run_id, lines in told.items() if lines != {_line(outputs.get(run_id, b"null"))}}
        )
        succeeded = {(run_id, n) for run_id, n, outcome, _, _ in attempts if outcome == "ok"}
        self.wrong_answers = sum(
            (status == "ok" and (run_id, _answering(output)) not in succeeded) or (status != "ok" and count < most)
            for run_id, state, status, count, most, output in runs
            if state == "done"
        )
        self.open_attempts = sum(outcome is None for _, _, outcome, _, _ in attempts)
        self.beyond_bound = sum(count > most for _, _, _, count, most, _ in runs)  # type: ignore[operator]
        self.started_twice = sum(count > 1 for count in starts.values())
        self.unclaimed = len(starts.keys() - {(run_id, n) for run_id, n, *_ in attempts})
        nodes = {(run_id, n): node for run_id, n, _, _, node in attempts}
        frozen = [each for each in away if each.how == "frozen"]
        self.overlaps, self.late_effects = _overlaps(
            notes, lambda run, n, at: _thawed(frozen, watch.named.get(str(nodes.get((run, n))), ""), at)
        )
        ended = {(run_id, n) for word, run_id, n, _ in notes if word == "end"}
        finished = {token for run_id, n, _, token, _ in attempts if (run_id, n) in ended and token in watch.finished}
        again = [row for row in judged if row[1] == "crashed" and row[0] in finished]
        excused = [row for row in again if _excused(row, watch, away)]
        self.repeated = len(again) - len(excused)
        self.repeated_after_absence = len(excused)
        self.told = [_told(row, watch, away) for row in again if row not in excused]
        self.judged_early = sum(_early(row, watch, machines, server_starts, grace) for row in judged)
        self.ended_by_itself = self.ledger_unsound = 0

    def faults(self) -> list[str]:
        return [f"{name}: {count}" for name in self.FAULTS if (count := getattr(self, name))]


def _notes(evidence: Path) -> list[tuple[str, str, int, float]]:
    found = []
    for line in evidence.read_text().splitlines():
        word, run_id, n, at = line.split()
        found.append((word, run_id, int(n), float(at)))
    return found


def _line(output: bytes) -> bytes:
    """As a batch prints it: the same document on one line."""
    return json.dumps(json.loads(output), ensure_ascii=False).encode()


def _answering(output: object) -> int:
    """The attempt that an answer says it is of."""
    return int(json.loads(bytes(output))["result"]["attempt"])  # type: ignore[call-overload]


def _overlaps(notes: list[tuple[str, str, int, float]], late: Callable[[str, int, float], bool]) -> tuple[int, int]:
    """Attempts that worked on after a later one of their run had begun; and those among them of machines that had stood still."""
    begun: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for word, run_id, n, at in notes:
        if word == "start":
            begun[run_id].append((n, at))
    wrong, excused = set(), set()
    for _, run_id, n, at in notes:
        if any(later > n and began < at for later, began in begun[run_id]):
            (excused if late(run_id, n, at) else wrong).add((run_id, n))
    return len(wrong), len(excused - wrong)


def _thawed(frozen: list[Away], machine: str, at: float) -> bool:
    return any(each.machine == machine and each.ended <= at + 0.05 <= each.ended + LATE_SECONDS for each in frozen)


def _early(row: tuple[object, ...], watch: Watch, machines: Machines, starts: Sequence[float], grace: float) -> bool:
    """Another machine judged, when the database had not been back for as long as the grace."""
    _, outcome, node, at, lease_until, _, judge = row
    machine = watch.named.get(str(node), "")
    assert machines.network is not None
    assert isinstance(at, float)
    assert isinstance(lease_until, float)
    others = bool(machine) and judge not in (machines.network.address(machine), None)
    last = max((start for start in starts if start < at), default=0.0)
    return outcome == "crashed" and others and at < last + grace and lease_until < at


def _told(row: tuple[object, ...], watch: Watch, away: list[Away]) -> str:
    """What happened around a judgement that nothing excuses, in seconds after it."""
    token, _, node, at, lease_until, renewed, _ = row
    assert isinstance(at, float)
    assert isinstance(lease_until, float)
    assert isinstance(renewed, float)
    machine = watch.named.get(str(node), "")
    near = [
        f"{each.machine} {each.how} {each.began - at:+.1f} to {each.ended - at:+.1f}"
        for each in away
        if each.machine in (machine, "databases") and each.ended > at - 40 and each.began < at + 5
    ]
    return f"{token} {machine}: lease {lease_until - at:+.1f}, renewed {renewed - at:+.1f}; {', '.join(near)}"


def _excused(row: tuple[object, ...], watch: Watch, away: list[Away]) -> bool:
    """Its disk is lost; or its lease was over, and it had been away since it renewed it for the last time."""
    _, _, node, at, lease_until, renewed, _ = row
    if node in watch.lost:
        return True
    machine = watch.named.get(str(node), "")
    assert isinstance(at, float)
    assert isinstance(lease_until, float)
    assert isinstance(renewed, float)
    was_away = any(each.machine == machine and each.began < at and each.ended > renewed for each in away)
    return lease_until < at and was_away
