"""What each extra brings, read from the packages that are installed here: `python -m tests.benchmarks.extras`.

Needs every extra installed. Packages and megabytes (10^6 bytes, without compiled files) are those beside what workermd
itself needs. Import time is the CPU of one process that imports the module of ours which needs the extra, the least of five.
"""

import re
import subprocess
import sys
from importlib import metadata

from packaging.requirements import Requirement

MODULES = {
    "": "workermd.cli.commands.run",
    "derive": "workermd.derive.transport",
    "workers": "workermd.workers.web_extract",
    "lsp": "workermd.editor.server",
    "agentchat": "workermd.backends.autogen.chat",
    "ag2": "workermd.backends.ag2.single",
    "agent-framework": "workermd.backends.agent_framework.single",
    "mcp": "workermd.backends.mcp",
    "serve": "workermd.serve.start",
    "otel": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "all": "",
}


def closure(wanted):
    """The names of all packages that a requirement brings, itself left out."""
    waiting, seen = [Requirement(wanted)], {}
    while waiting:
        one = waiting.pop()
        key = re.sub("[-_.]+", "-", one.name).lower(), frozenset(one.extras)
        if key in seen:
            continue
        seen[key] = metadata.distribution(one.name)
        needed = map(Requirement, seen[key].requires or [])
        waiting += [
            each
            for each in needed
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in one.extras or {""})
        ]
    return {name: found for (name, _), found in seen.items() if name != "workermd"}


def megabytes(found):
    paths = [path.locate() for each in found for path in each.files or [] if "__pycache__" not in path.parts]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def licence(found):
    stated = found.metadata.get("License-Expression")
    classified = [
        each.rpartition(" :: ")[2] for each in found.metadata.get_all("Classifier", []) if "License ::" in each
    ]
    return stated or " and ".join(classified) or (found.metadata.get("License") or "not stated").splitlines()[0]


def seconds(module):
    code = f"import time; begun = time.process_time(); import {module}; print(time.process_time() - begun)"
    return min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5))


def main():
    own = closure("workermd")
    print("| extra | packages | MB | import, s | licences |\n|---|---|---|---|---|")
    for extra, module in MODULES.items():
        brought = closure(f"workermd[{extra}]") if extra else own
        new = [found for name, found in brought.items() if not extra or name not in own]
        licences = ", ".join(sorted({licence(found) for found in new}))
        took = f"{seconds(module):.2f}" if module else ""
        print(f"| {extra or '(none)'} | {len(new)} | {megabytes(new):.0f} | {took} | {licences} |")


if __name__ == "__main__":
    main()
