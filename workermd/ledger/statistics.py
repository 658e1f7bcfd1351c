"""What chosen runs came to: counted page by page, so that ten million cost no more memory than ten."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from workermd.ledger.records import Attempt, Cursor, RunChoice, RunSummary
from workermd.ledger.sqlite.reader import LedgerReader
from workermd.system.durations import Durations

PERCENTILES = (50, 90, 95, 99)
AT_A_TIME = 1000
"""Runs that are held."""

NO_MODEL = "(none)"
"""What attempts are counted under that asked no model."""

_MOST_GROUPS = 2000
_OTHERS = "(others)"
"""What is counted together where there are more groups than anybody reads."""


class Part(NamedTuple):
    """What the runs of one worker, one day, or the attempts of one model came to. `ok` counts as `runs` does."""

    name: str
    runs: int
    ok: int
    not_ok: int
    attempts: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    seconds: tuple[float | None, ...]
    """Of PERCENTILES; of a model: of its attempts."""


class RunStatistics(NamedTuple):
    """`took` are the percentiles from admission to answer, `classes` the same in classes; `attempts_took` those of attempts."""

    whole: Part
    unfinished: int
    statuses: tuple[tuple[str, int], ...]
    causes: tuple[tuple[str, int], ...]
    outcomes: tuple[tuple[str, int], ...]
    attempts_took: tuple[float | None, ...]
    classes: tuple[tuple[float, int], ...]
    workers: tuple[Part, ...]
    models: tuple[Part, ...]
    days: tuple[Part, ...]


class _Group:
    def __init__(self) -> None:
        self.counted: Counter[str] = Counter()
        self.cost = 0.0
        self.took = Durations()

    def run(self, row: RunSummary) -> None:
        self.counted["runs"] += 1
        if row.status is not None:
            self.counted["ok" if row.status == "ok" else "not_ok"] += 1
        if row.settled_at is not None:
            self.took.add((row.settled_at - row.created_at) / 1_000_000)

    def attempt(self, attempt: Attempt) -> None:
        usage = (attempt.detail or {}).get("usage") or {}
        self.counted["attempts"] += 1
        self.counted["input_tokens"] += usage.get("input_tokens") or 0
        self.counted["output_tokens"] += usage.get("output_tokens") or 0
        self.cost += usage.get("cost_usd") or 0

    def part(self, name: str) -> Part:
        counted = self.counted
        return Part(
            name,
            counted["runs"],
            counted["ok"],
            counted["not_ok"],
            counted["attempts"],
            counted["input_tokens"],
            counted["output_tokens"],
            round(self.cost, 9),
            tuple(map(self.took.percentile, PERCENTILES)),
        )


class _Tally:
    def __init__(self, zone: tzinfo | None) -> None:
        self._zone = zone
        self._whole = _Group()
        self._statuses: Counter[str] = Counter()
        self._causes: Counter[str] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._attempts = Durations()
        self._workers: dict[str, _Group] = {}
        self._models: dict[str, _Group] = {}
        self._days: dict[str, _Group] = {}

    def run(self, row: RunSummary, attempts: Iterable[Attempt]) -> None:
        day = datetime.fromtimestamp(row.created_at / 1_000_000, UTC).astimezone(self._zone).date().isoformat()
        groups = (self._whole, _group(self._workers, row.worker_id), _group(self._days, day))
        self._statuses[row.status or row.state] += 1
        if row.status not in (None, "ok"):
            self._causes[_known(self._causes, row.error_code or row.status or "")] += 1
        for group in groups:
            group.run(row)
        models = set()
        for attempt in attempts:
            models.add(self._attempt(attempt, groups))
        for model in models:
            of_model = _group(self._models, model).counted
            of_model["runs"] += 1
            if row.status is not None:
                of_model["ok" if row.status == "ok" else "not_ok"] += 1

    def _attempt(self, attempt: Attempt, groups: Iterable[_Group]) -> str:
        """Its model."""
        detail = attempt.detail or {}
        model = str(detail.get("model") or NO_MODEL)
        of_model = _group(self._models, model)
        self._outcomes[attempt.outcome or "running"] += 1
        for group in (*groups, of_model):
            group.attempt(attempt)
        if isinstance(milliseconds := detail.get("duration_ms"), int | float):
            self._attempts.add(milliseconds / 1000)
            of_model.took.add(milliseconds / 1000)
        return model

    def statistics(self) -> RunStatistics:
        return RunStatistics(
            whole=self._whole.part("all"),
            unfinished=self._whole.counted["runs"] - self._whole.counted["ok"] - self._whole.counted["not_ok"],
            statuses=tuple(self._statuses.most_common()),
            causes=tuple(self._causes.most_common()),
            outcomes=tuple(self._outcomes.most_common()),
            attempts_took=tuple(map(self._attempts.percentile, PERCENTILES)),
            classes=self._whole.took.classes(),
            workers=_parts(self._workers),
            models=_parts(self._models),
            days=tuple(group.part(day) for day, group in sorted(self._days.items())),
        )


def _known(counted: Mapping[str, object], name: str) -> str:
    return _OTHERS if len(counted) >= _MOST_GROUPS and name not in counted else name


def _group(groups: dict[str, _Group], name: str) -> _Group:
    return groups.setdefault(_known(groups, name), _Group())


def _parts(groups: dict[str, _Group]) -> tuple[Part, ...]:
    """Those that cost most first, then those with most runs."""
    parts = [group.part(name) for name, group in groups.items()]
    return tuple(sorted(parts, key=lambda each: (-each.cost_usd, -each.runs, each.name)))


def statistics(ledger: LedgerReader | None, chosen: RunChoice, zone: tzinfo | None = None) -> RunStatistics:
    """What the chosen runs came to; days are those of a zone, by default of this machine's."""
    tally = _Tally(zone)
    behind: Cursor | None = None
    while ledger is not None and (rows := ledger.runs(chosen, behind=behind, limit=AT_A_TIME)):
        attempts = ledger.attempts_among([row.id for row in rows])
        for row in rows:
            tally.run(row, attempts.get(row.id, ()))
        behind = Cursor(rows[-1].created_at, rows[-1].id)
    return tally.statistics()
