"""The gate of a suite. It passes, it fails, or it is undecided: too few cases to say either."""

from workermd.bench import statistics as st
from workermd.bench.comparison import UNDECIDED
from workermd.bench.suite import Gate
from workermd.protocol.envelope import Document

PASSES, FAILS = "passed", "failed"


def gated(gate: Gate, document: Document) -> Document:
    """The verdict and every check that led to it. Without a gate nothing is checked, and the verdict is `passed`."""
    checks: list[Document] = []
    for subject in document["subjects"]:
        if gate.subjects and subject["name"] not in gate.subjects:
            continue
        checks += _checks(gate, subject)
    for each in document["since_baseline"]:
        if not gate.subjects or each["one"] in gate.subjects:
            checks.append(_since(each))
    verdicts = [check["verdict"] for check in checks]
    verdict = FAILS if FAILS in verdicts else UNDECIDED if UNDECIDED in verdicts else PASSES
    return {"verdict": verdict, "checks": checks}


def _checks(gate: Gate, subject: Document) -> list[Document]:
    found: list[Document] = []
    if gate.min_pass is not None:
        found.append(_check(subject["name"], "min_pass", *_share(gate.min_pass, gate.confidence, subject)))
    bounds = (
        ("max_cost_usd", gate.max_cost_usd, subject["cost_usd"], "USD"),
        ("max_seconds", gate.max_seconds, subject["seconds"]["median"], "s"),
    )
    for name, bound, measured, unit in bounds:
        if bound is None:
            continue
        if measured is None:
            found.append(_check(subject["name"], name, UNDECIDED, "nothing was measured"))
        else:
            verdict = PASSES if measured <= bound else FAILS
            found.append(_check(subject["name"], name, verdict, f"{measured:.4g} {unit} of {bound:g}"))
    return found


def _check(subject: str, bound: str, verdict: str, told: str) -> Document:
    return {"subject": subject, "bound": bound, "verdict": verdict, "told": told}


def _share(least: float, confidence: str, subject: Document) -> tuple[str, str]:
    share, (low, high) = subject["share"], subject["interval"]
    if share is None or subject["missing"]:
        return UNDECIDED, "not every run is there; run the bench to its end"
    told = f"{share:.1%} ({low:.1%} to {high:.1%}) of {least:.1%}"
    if confidence == "point":
        return (PASSES if share >= least else FAILS), told
    if low >= least:
        return PASSES, told
    if high < least:
        return FAILS, told
    return UNDECIDED, f"{told}; {_needed(least, subject)}"


def _needed(least: float, subject: Document) -> str:
    """How many cases would be enough, all passing, or as many passing as now."""
    all_passing = st.cases_for(least) if least < 1 else None
    if all_passing is None:
        return "no number of cases shows 100 %: ask for less, or set confidence to point"
    if subject["share"] <= least:
        return f"too few cases to tell; a claim of {least:.0%} needs {all_passing} cases that all pass"
    return f"too few cases to tell; it needs about {_cases_at(subject['share'], least)} cases at this share"


def _cases_at(share: float, least: float) -> int:
    """The number of cases whose interval at this share begins at `least`."""
    low, high = 1, 1
    while st.wilson(share * high, high).low < least:
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if st.wilson(share * middle, middle).low >= least else (middle + 1, high)
    return high


def _since(compared: Document) -> Document:
    """Worse than the baseline fails; what may be chance does not."""
    worse = compared["better"] == compared["other"]
    told = (
        f"better in {compared['only_one']} cases, worse in {compared['only_other']} of {compared['cases']}, "
        f"p {compared['p_holm']:.3g}"
    )
    return _check(compared["one"], "baseline", FAILS if worse else PASSES, told)
