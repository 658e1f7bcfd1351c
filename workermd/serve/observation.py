"""What is told of requests: counts for Prometheus, and one line a request for whoever keeps a log. No secret is in either."""

import json
import resource
import time
from collections import Counter
from collections.abc import Callable

from starlette.types import Scope

from workermd.protocol.envelope import Document, timestamp
from workermd.serve.desk import Desk

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0)
_LONGEST = 500
"""Characters of a path in the log."""


class Observation:
    """`log` gets a line for every request; `secret_paths` are shown without what stands behind them."""

    def __init__(self, log: Callable[[str], None] | None, secret_paths: tuple[str, ...]) -> None:
        self._log = log
        self._secret_paths = secret_paths
        self._requests: Counter[tuple[str, int]] = Counter()
        self._at_most: Counter[float] = Counter()
        self._seconds = 0.0

    def note(self, scope: Scope, status: int, began: float) -> None:
        """A response, or its loss, ended. A status of 0: nothing was sent."""
        seconds = time.monotonic() - began
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "DELETE", "OPTIONS") else "other"
        self._requests[method, status] += 1
        self._seconds += seconds
        for bucket in _BUCKETS:
            self._at_most[bucket] += seconds <= bucket
        if self._log is not None:
            self._log(json.dumps(self._line(scope, status, seconds), ensure_ascii=True))

    def _line(self, scope: Scope, status: int, seconds: float) -> Document:
        path = scope.get("raw_path", b"").partition(b"?")[0].decode("ascii", "replace")
        for secret in self._secret_paths:
            if path.startswith(secret) and path != secret:
                path = f"{secret}..."
        return {
            "at": timestamp(time.time_ns() // 1000),
            "caller": scope.get("state", {}).get("caller", ""),
            "client": (scope.get("client") or ("",))[0],
            "method": scope["method"],
            "path": path[:_LONGEST],
            "status": status,
            "ms": round(seconds * 1000, 1),
        }

    def metrics(self, desk: Desk) -> str:
        """In the text format of Prometheus."""
        running = sum(job.begun for job in desk.jobs.values())
        lines = [
            *_family("workermd_requests_total", "counter", "Responses, by method and status."),
            *(
                f'workermd_requests_total{{method="{method}",status="{status}"}} {count}'
                for (method, status), count in sorted(self._requests.items())
            ),
            *_family("workermd_request_seconds", "histogram", "From a request's headers to the end of its response."),
            *(f'workermd_request_seconds_bucket{{le="{each}"}} {self._at_most[each]}' for each in _BUCKETS),
            f'workermd_request_seconds_bucket{{le="+Inf"}} {self._requests.total()}',
            f"workermd_request_seconds_sum {self._seconds:.6f}",
            f"workermd_request_seconds_count {self._requests.total()}",
            *_family("workermd_runs_total", "counter", "Runs that ended here, by worker and status; replays are none."),
            *(
                f'workermd_runs_total{{worker="{worker}",status="{_escaped(status)}"}} {count}'
                for (worker, status), count in sorted(desk.ended.items())
            ),
            *_family("workermd_runs", "gauge", "Runs on their way, by state."),
            f'workermd_runs{{state="running"}} {running}',
            f'workermd_runs{{state="waiting"}} {len(desk.jobs) - running}',
            *_family("workermd_memory_peak_bytes", "gauge", "The largest resident memory of this process so far."),
            f"workermd_memory_peak_bytes {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}",
        ]
        return "\n".join(lines) + "\n"


def _family(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
