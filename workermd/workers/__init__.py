"""The functions behind the contracts that ship with the package.

This module imports nothing: it is read on every run to see whether a worker id has a shipped function.
"""

SHIPPED: dict[str, str] = {
    "aggregate": "workermd.workers.aggregate:run",
    "code-review": "workermd.workers.code_review:run",
    "data-validation": "workermd.workers.data_validation:run",
    "output-gate": "workermd.workers.output_gate:run",
    "web-extract": "workermd.workers.web_extract:run",
}
"""Worker id to `module:function`."""

NEEDS: dict[str, tuple[str, ...]] = {"workermd.workers.web_extract:run": ("httpx", "selectolax")}
"""Function to the modules, of the extra `workers`, without which it does nothing. Code review goes on without ruff."""
