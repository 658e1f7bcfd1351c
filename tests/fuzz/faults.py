"""Ten faults, each in a copy of a shipped worker: a careless hand could have made every one of them."""

from typing import NamedTuple


class Planted(NamedTuple):
    """`worker` names the module of the copy; `old` becomes `new` in it; `check` is what has to find it.

    With `seed` it is found soon; with any other the search may take its whole minute."""

    name: str
    worker: str
    check: str
    old: str
    new: str
    seed: int = 3


PLANTED = (
    Planted(
        "a share of nothing is divided",
        "aggregate",
        "crash",
        "* 10_000 // total / 10_000 if total else 1.0",
        "* 10_000 // total / 10_000",
    ),
    Planted(
        "completeness counts in per cent",
        "aggregate",
        "output",
        "* 10_000 // total / 10_000 if total else 1.0",
        "* 100 // total if total else 100",
    ),
    Planted(
        "a name that is empty is waited for",
        "aggregate",
        "hang",
        "    merged: Document = {}\n",
        '    merged: Document = {}\n    while any("" in part.data for part in parts):\n        __import__("time").sleep(0.01)\n',
    ),
    Planted(
        "the key is tidied",
        "aggregate",
        "key",
        '        "status": Status.OK.value,\n        "result": {\n            "merged"',
        '        "run_id": task.run_id.strip().lower(),\n        "status": Status.OK.value,\n        "result": {\n            "merged"',
    ),
    Planted(
        "a source is named in a message",
        "aggregate",
        "leak",
        'message = "parts: two parts bear the same source; merge them first, or name them apart"',
        'message = f"parts: {max(sources, key=sources.count)} is there twice; merge them first"',
        seed=5,
    ),
    Planted(
        "of equal sources each gets its turn",
        "aggregate",
        "differs",
        "    return leading[0] if agree else None\n",
        '    import itertools\n\n    turns = globals().setdefault("TURNS", itertools.count())\n'
        "    return leading[0] if agree else leading[next(turns) % len(leading)]\n",
    ),
    Planted(
        "the environment is written to the log",
        "output_gate",
        "secret",
        "def _answer(document: Document, reasons: list[GateReason]) -> Document:\n",
        "def _answer(document: Document, reasons: list[GateReason]) -> Document:\n    import os\n\n"
        "    if len(reasons) > 1:\n        print(dict(os.environ))\n",
    ),
    Planted(
        "no error is listed, and the first is looked at",
        "data_validation",
        "crash",
        '            "truncated": self.error_count > len(self.errors),',
        '            "truncated": bool(self.error_count and self.errors[0]) and self.error_count > len(self.errors),',
    ),
    Planted(
        "a lock is left behind by an attempt that was killed",
        "aggregate",
        "killed",
        "    settings_of(task, {})\n    order = task.input\n",
        '    import os\n    import time\n\n    settings_of(task, {})\n    order = task.input\n    if os.path.exists("lock"):\n'
        '        return failed(Status.INVALID_REQUEST, "busy", "somebody else is at it")\n    open("lock", "w").close()\n'
        '    time.sleep(0.02)\n    os.unlink("lock")\n',
    ),
    Planted(
        "a review without an issue has no worst one",
        "code_review",
        "crash",
        'max((issue.risk for issue in issues), key=RISKS.index, default="low")',
        "max((issue.risk for issue in issues), key=RISKS.index)",
    ),
)
