"""What each extra brings: `python -m tests.benchmarks.extras` makes an environment for each and installs nothing else.

Packages and megabytes (10^6 bytes, without compiled files) are those beside what workermd itself needs. Import time is
the CPU of one process that imports the module of ours which needs the extra, the least of five. `pip check` is asked in
each environment. Needs a package index.
"""

import json
import re
import subprocess
import sys
import tempfile
import venv
from importlib import metadata
from pathlib import Path

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
    "studio": "workermd.studio.guest",
    "a2a": "a2a.server.agent_execution",
    "receipts": "securesystemslib.signer",
    "keyring": "keyring",
    "bench": "workermd.bench.paths",
    "fuzz": "workermd.fuzz.search",
    "providers": "any_llm",
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


def looked_at(extra):
    """What this environment has for an extra: sizes by package, licences, import seconds."""
    found = closure(f"workermd[{extra}]" if extra else "workermd")
    module = MODULES[extra]
    return {
        "megabytes": {name: megabytes([each]) for name, each in found.items()},
        "licences": {name: licence(each) for name, each in found.items()},
        "seconds": seconds(module) if module else None,
    }


def in_an_environment_of_its_own(extra, folder):
    """`looked_at`, and `pip check`'s word, where nothing but workermd and this extra is installed."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint"]
    wanted = f".[{extra}]" if extra else "."
    subprocess.run(
        [*install, "constraints.txt", "packaging", "--editable", wanted], check=True, stderr=subprocess.DEVNULL
    )
    checked = subprocess.run([python, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    told = json.loads(subprocess.check_output([python, "-m", "tests.benchmarks.extras", "--here", extra]))
    return told | {"check": "ok" if checked.returncode == 0 else checked.stdout.strip().splitlines()[0]}


def main():
    if sys.argv[1:2] == ["--here"]:
        print(json.dumps(looked_at(sys.argv[2])))
        return
    print("| extra | packages | MB | import, s | pip check | licences |\n|---|---|---|---|---|---|", flush=True)
    own = {}
    for extra in MODULES:
        with tempfile.TemporaryDirectory() as folder:
            told = in_an_environment_of_its_own(extra, Path(folder))
        sizes = {name: size for name, size in told["megabytes"].items() if name not in own}
        licences = ", ".join(sorted({told["licences"][name] for name in sizes}))
        took = f"{told['seconds']:.2f}" if told["seconds"] else ""
        print(
            f"| {extra or '(none)'} | {len(sizes)} | {sum(sizes.values()):.0f} | {took} | {told['check']} | {licences} |",
            flush=True,
        )
        own = own or told["megabytes"]


if __name__ == "__main__":
    main()
