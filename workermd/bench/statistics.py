"""The few statistics of a bench: intervals, chances of k tries, paired comparisons, and how many cases a claim needs.

Repeats of one case are no independent cases. What spans cases takes the case as its unit: the interval by an effective
sample size, the comparison by McNemar's test over cases, the bootstrap by drawing cases.
"""

import math
import random
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
DRAWS = 2000
"""Resamples of a bootstrap."""

FEWEST_DISCORDANT = 6
"""Cases that differ, all to one side, from which on the exact test can say anything at 5 %."""


class Interval(NamedTuple):
    low: float
    high: float


def wilson(passed: float, tries: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a share (Wilson 1927); the whole range where nothing was tried."""
    if tries <= 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = passed / tries
    spread = z * math.sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries))
    middle, scale = share + z * z / (2 * tries), 1 + z * z / tries
    low = 0.0 if passed <= 0 else (middle - spread) / scale
    high = 1.0 if passed >= tries else (middle + spread) / scale
    return Interval(max(0.0, low), min(1.0, high))


def effective_tries(cases: Sequence[tuple[int, int]]) -> float:
    """How many independent tries `(passed, tried)` of each case are worth.

    The variance of the mean is measured between the cases (Korn and Graubard 1998); the result is never more than the
    tries and never less than the cases. Where all agree the cases alone count: nothing says how much repeats add.
    """
    cases = [each for each in cases if each[1]]
    total, count = sum(tried for _, tried in cases), len(cases)
    if total == count:
        return float(total)
    share = sum(passed for passed, _ in cases) / total
    if count < 2 or share in (0.0, 1.0):
        return float(count)
    spread = sum((passed - tried * share) ** 2 for passed, tried in cases)
    variance = count / (count - 1) * spread / (total * total)
    if variance == 0:
        return float(total)
    return min(float(total), max(float(count), share * (1 - share) / variance))


def pass_at(k: int, passed: int, tried: int) -> float:
    """The chance that at least one of k tries passes, without bias (Chen et al. 2021). `k` is at most `tried`."""
    return 1.0 - math.comb(tried - passed, k) / math.comb(tried, k)


def pass_all(k: int, passed: int, tried: int) -> float:
    """The chance that all of k tries pass, without bias: pass^k. `k` is at most `tried`."""
    return math.comb(passed, k) / math.comb(tried, k)


def mcnemar(one: int, other: int) -> float:
    """The exact two-sided p of `one` cases for the one side against `other` for the other."""
    total = one + other
    tail = sum(math.comb(total, number) for number in range(min(one, other) + 1))
    return min(1.0, float(2 * tail / 2**total))


def holm(values: Sequence[float]) -> list[float]:
    """Each p, corrected for the number of comparisons (Holm 1979), in the order given."""
    adjusted = [0.0] * len(values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted


def bootstrap(count: int, measured: Callable[[Sequence[int]], float | None], seed: int = 0) -> Interval | None:
    """The percentile interval of what is `measured` of cases drawn with replacement, by their numbers below `count`.

    None where there are too few cases, or nothing can be measured.
    """
    if count < 2:
        return None
    chance = random.Random(seed)  # noqa: S311 - a resample is no secret, and has to be the same again
    found = [value for _ in range(DRAWS) if (value := measured(chance.choices(range(count), k=count))) is not None]
    if len(found) < DRAWS // 2:
        return None
    found.sort()
    edge = (1 - CONFIDENCE) / 2
    return Interval(found[int(edge * len(found))], found[min(len(found) - 1, int((1 - edge) * len(found)))])


def cases_for(bound: float, confidence: float = CONFIDENCE) -> int:
    """How many cases, all passing, put the interval's lower end at `bound` or above."""
    if bound >= 1:
        raise ValueError("no number of cases shows a share of 1")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    count = max(1, math.ceil(z * z * bound / (1 - bound)))
    return count if wilson(count, count, confidence).low >= bound else count + 1


def cases_to_tell(one: int, other: int, cases: int, power: float = 0.8) -> int | None:
    """About how many cases would tell two subjects apart that differ as they did here (Connor 1987).

    None where they did not differ: no number can be said.
    """
    if one == other or not cases:
        return None
    discordant, difference = (one + other) / cases, abs(one - other) / cases
    alpha, beta = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2), NormalDist().inv_cdf(power)
    root = alpha * math.sqrt(discordant) + beta * math.sqrt(max(0.0, discordant - difference * difference))
    return max(math.ceil((root / difference) ** 2), math.ceil(FEWEST_DISCORDANT / discordant))


def median(values: Sequence[float]) -> float | None:
    return quantile(values, 0.5)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which a share of the values lies, between neighbours by proportion; None of none."""
    if not values:
        return None
    found = sorted(values)
    at = share * (len(found) - 1)
    below = int(at)
    above = min(below + 1, len(found) - 1)
    return found[below] + (found[above] - found[below]) * (at - below)
