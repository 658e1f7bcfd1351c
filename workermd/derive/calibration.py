"""What a claim's support is worth: of labelled claims with the same support, the share that was right.

`SHARES` is fitted on the labels in tests/derive/calibration/labels.txt; `python -m tests.benchmarks.calibration` fits it
again and holds it against repositories that were not looked at before. docs/derive.md has the table.
"""

SHARES: dict[str, float] = {
    "stated": 0.99,
    "install": 0.98,
    "sentence": 0.98,
    "mode": 0.95,
    "told": 0.65,
    "other": 0.43,
}
"""By group of claims: (right + 1) / (all + 2), at most 0.99."""

_GROUPS = {
    **dict.fromkeys(("install", "install_from_source", "install_development"), "install"),
    **dict.fromkeys(("summary", "repository_description", "status"), "sentence"),
    "install_other": "other",
    "worker_mode": "mode",
}
_WHOLE = 0.9
"""Support from which a manifest, a licence file, the tree or the host states it."""


def group(field: str, support: float) -> str:
    """The group of claims that a claim is judged with; "" for an interface, which is measured by other means."""
    if field == "interface":
        return ""
    if field in _GROUPS:
        return _GROUPS[field]
    if field in ("repository_license", "documentation_license"):
        return "stated" if support >= _WHOLE else "sentence"
    return "stated" if support >= _WHOLE else "told"


def calibrated(field: str, support: float, *, sure: bool = False) -> float:
    """The stated confidence of a claim. `sure` where the caller or the host decides it: then the support stands."""
    return support if sure else SHARES.get(group(field, support), support)
