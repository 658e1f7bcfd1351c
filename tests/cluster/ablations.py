"""What the promises rest on, each thing taken away from a copy of the program, with the weather in which that has to be noticed."""

import shutil
from pathlib import Path
from typing import NamedTuple

from tests.cluster.machines import ROOT
from tests.cluster.weather import Climate


class Change(NamedTuple):
    """`old` must stand exactly once in the file, or the ablation no longer says what it means."""

    file: str
    old: str
    new: str


class Ablation(NamedTuple):
    """One of `faults` has to be found. `task_seconds`: how long every run takes."""

    changes: tuple[Change, ...]
    climate: Climate
    faults: tuple[str, ...]
    task_seconds: float
    runs: int
    seconds: float = 45.0


_WATCHES = "return over or (bool(commission.lease) and lease.is_over(commission.lease))"
_JUDGED = 'left = self._settlement.judged(row.open_token, row.open_key) or verdict.crashed("was lost")'

ABLATIONS = {
    "no-result-file": Ablation(
        (Change("workermd/runner/claims.py", _JUDGED, 'left = verdict.crashed("was lost")'),),
        Climate({"node killed": 1, "machine killed": 1}, {}, pause=(1.0, 3.0)),
        ("repeated",), 0.5, 150,
    ),
    "no-grace": Ablation(
        (
            Change(
                "workermd/ledger/postgres/liveness.py",
                "(SELECT max(seen_at) FROM epochs) + (SELECT grace FROM liveness))", "d.lease_until)",
            ),
        ),
        Climate({"cut off": 1}, {"long stop": 1}, pause=(0.5, 2.0), database_pause=(1.0, 3.0)),
        ("judged_early", "repeated"),
        0.3,
        400,
    ),
    "no-lease-watch": Ablation(
        (
            Change("workermd/attempt/keeper.py", _WATCHES, "return over"),
            Change("workermd/attempt/lasting_keeper.py", _WATCHES, "return over"),
        ),
        Climate({"cut off long": 1, "node frozen long": 1}, {}, pause=(3.0, 9.0)),
        ("overlaps",), 22.0, 20,
    ),
    "no-fence": Ablation(
        (
            Change(
                "workermd/ledger/postgres/store.py", "self._execute(_LOCK_RUN, (run.id,))",
                "self._execute(_LOCK_RUN, (run.id,))\n        run = run._replace(attempts=self._again(run).attempts)",
            ),
            Change("workermd/ledger/postgres/store.py", "elif not (holder[0] or holder[1]):", "elif False:"),
        ),
        Climate({"cut off long": 1}, {}, pause=(2.0, 8.0)),
        ("wrong_answers",), 9.0, 40, 60.0,
    ),
    "start-before-commit": Ablation(
        (
            Change(
                "workermd/ledger/postgres/store.py", 'self._execute("COMMIT", ())',
                'try:\n            self._execute("COMMIT", ())\n        except Exception:\n'
                '            if self._kind != "t1":\n                raise',
            ),
        ),
        Climate({}, {"fail-over while commits hang": 1}, database_pause=(1.0, 3.0)),
        ("unclaimed", "started_twice"), 0.5, 400,
    ),
}  # fmt: skip


def changed(ablation: Ablation) -> dict[str, str]:
    """The files as they are without the thing. Raises ValueError where a text no longer stands exactly once."""
    texts: dict[str, str] = {}
    for change in ablation.changes:
        text = texts.get(change.file) or (ROOT / change.file).read_text()
        if text.count(change.old) != 1:
            raise ValueError(f"{change.file}: {change.old!r} stands there {text.count(change.old)} times")
        texts[change.file] = text.replace(change.old, change.new)
    return texts


def copied(name: str, folder: Path) -> Path:
    """A copy of the program without the thing."""
    shutil.copytree(ROOT / "workermd", folder / "workermd", ignore=shutil.ignore_patterns("__pycache__"))
    for file, text in changed(ABLATIONS[name]).items():
        (folder / file).write_text(text)
    return folder
