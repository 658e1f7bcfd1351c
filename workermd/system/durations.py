"""How long many things took, in so few numbers that ten are kept like ten million."""

import math
from collections import Counter

_STEP = 1.05
"""The ends of a class are so far apart: a percentile is right to 2.5 %."""
_LEAST = 1e-6


class Durations:
    """Seconds, counted in classes."""

    def __init__(self) -> None:
        self._classes: Counter[int] = Counter()

    def __len__(self) -> int:
        return self._classes.total()

    def add(self, seconds: float) -> None:
        self._classes[round(math.log(max(seconds, _LEAST), _STEP))] += 1

    def percentile(self, percent: float) -> float | None:
        """The seconds that so many percent took at most; None where nothing was counted."""
        wanted = math.ceil(len(self) * percent / 100)
        for each, count in sorted(self._classes.items()):
            wanted -= count
            if wanted <= 0:
                return float(_STEP**each)
        return None

    def classes(self) -> tuple[tuple[float, int], ...]:
        """The classes that were met: about how many seconds, how many times."""
        return tuple((_STEP**each, count) for each, count in sorted(self._classes.items()))
