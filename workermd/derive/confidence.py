"""How sure the contract is of each field: numbers from 0 to 1, computed from what supports it.

docs/derive-reference.md has the same tables in words. The numbers say how many independent sources agree, not how likely a
sentence is to be true.
"""

from workermd.derive.mode import ModeChoice
from workermd.derive.model import Claim, Interface

WEIGHTS: dict[str, int] = {"interface": 4, "repository_license": 2, "summary": 2, "worker_mode": 1, "install": 1}
"""Share of a field in `derivation_confidence`; the others do not count. A missing field counts as 0."""

STARTER = 0.2
"""The starter contract rests on nothing of the repository."""


def of_summary(text: str, others: list[str], kind: str) -> float:
    """0.8 for a tagline alone, 0.6 for a paragraph further down, up to 0.98 by what other sources repeat of it."""
    alone = 0.8 if kind == "early" else 0.6
    best = max((overlap(text, other) for other in others), default=0.0)
    return round(alone + (0.98 - alone) * best, 2)


def of_description(text: str, description: str | None) -> float:
    """0.9 for a manifest's word, up to 0.98 by what the host's description repeats of it."""
    return round(0.9 + 0.08 * overlap(text, description or ""), 2)


def overlap(text: str, other: str) -> float:
    """The share of the longer words of `other` that `text` repeats."""
    wanted = {word for word in _words(other) if len(word) > 3}
    return len(wanted & _words(text)) / len(wanted) if wanted else 0.0


def _words(text: str) -> set[str]:
    return {word.strip(".,:;!?()[]\"'`*").lower() for word in text[:2000].split()}


def of_mode(choice: ModeChoice) -> float:
    """0.5 for a tie, 0.1 more for each weight of margin, at most 0.95; 1 where the caller chose."""
    return 1.0 if choice.forced else round(min(0.95, 0.5 + 0.1 * choice.margin), 2)


def of_interface(interface: Interface, notes: int) -> float:
    """0.95 with an output schema, 0.8 without; 0.1 less for each thing that could not be expressed, at least 0.4."""
    return round(max(0.4, (0.95 if interface.output_schema else 0.8) - 0.1 * notes), 2)


def overall(claims: tuple[Claim, ...]) -> float:
    """The mean of the fields in `WEIGHTS`, weighted; of several claims for a field the best counts."""
    best: dict[str, float] = {}
    for claim in claims:
        best[claim.field] = max(best.get(claim.field, 0.0), claim.confidence)
    total = sum(weight * best.get(field, 0.0) for field, weight in WEIGHTS.items())
    return round(total / sum(WEIGHTS.values()), 2)
