"""`python -m tests.benchmarks.calibration`: what the confidence of claims means, calculated anew from the labelled claims.

Every line of tests/derive/calibration/labels.txt is a repository: its name, its set, and for each field and support how many
of the claims were right when a person read them against the repository. Repositories of the set `fit` give the shares,
those of `held` were looked at only afterwards, and those of `seen` were read while derive was mended and count nowhere.
"""

import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from workermd.derive.calibration import SHARES, group

LABELS = Path(__file__).parents[1] / "derive" / "calibration" / "labels.txt"
ENOUGH = 30
"""Claims that a bin must hold to be judged."""
NEAR = 0.05


class Bin(NamedTuple):
    """Claims with one stated confidence: how many of them were right, and which groups they are of."""

    stated: float
    right: int
    all: int
    groups: tuple[str, ...]

    @property
    def observed(self) -> float:
        return self.right / self.all


def judged(wanted: str) -> dict[str, tuple[int, int]]:
    """For each group the claims that were right, and all, in the repositories of one set."""
    right: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for line in LABELS.read_text().splitlines():
        _, which, *counts = line.split()
        for each in counts if which == wanted else ():
            field, _, rest = each.partition("@")
            support, _, share = rest.partition(":")
            name = group(field, float(support))
            good, _, total = share.partition("/")
            right[name] += int(good)
            every[name] += int(total)
    return {name: (right[name], every[name]) for name in sorted(every)}


def fitted() -> dict[str, float]:
    return {name: min(0.99, round((right + 1) / (every + 2), 2)) for name, (right, every) in judged("fit").items()}


def bins() -> list[Bin]:
    """The claims of the held repositories by the confidence that is stated of them."""
    found: dict[float, Bin] = {}
    for name, (right, every) in judged("held").items():
        old = found.get(SHARES[name], Bin(SHARES[name], 0, 0, ()))
        found[SHARES[name]] = Bin(old.stated, old.right + right, old.all + every, (*old.groups, name))
    return [found[stated] for stated in sorted(found, reverse=True)]


def repositories(wanted: str) -> int:
    return sum(line.split()[1] == wanted for line in LABELS.read_text().splitlines())


def main() -> int:
    fit = judged("fit")
    print("| stated | claims | fitted on | right of held | observed | off by |")
    print("|---:|---|---:|---:|---:|---:|")
    for each in bins():
        of = [fit[name] for name in each.groups]
        seen = f"{sum(right for right, _ in of)} / {sum(every for _, every in of)}"
        judgement = f"{abs(each.observed - each.stated):.2f}" if each.all >= ENOUGH else "too few"
        print(
            f"| {each.stated:.2f} | {', '.join(each.groups)} | {seen} | {each.right} / {each.all} | {each.observed:.2f} | {judgement} |"
        )
    print(
        f"repositories: {repositories('fit')} to fit, {repositories('held')} held, {repositories('seen')} seen before"
    )
    good = fitted() == SHARES and all(abs(one.observed - one.stated) <= NEAR for one in bins() if one.all >= ENOUGH)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
