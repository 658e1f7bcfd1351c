"""`python -m tests.backends.agents.recordings`: record the examples' conversations anew, after a prompt has changed.

No model was asked for them: the answers below were written by hand and are played by the scripted server. What the
frameworks send, and so what a replay is held against, is real.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from workermd.testing import Received, Server, Text

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "contracts" / "examples" / "agents"

EXAMPLES = {
    "chat": ("ticket-triage",),
    "team": ("release-notes",),
    "ag2": ("ticket-triage", "release-notes"),
    "agent-framework": ("ticket-triage", "release-notes"),
}
"""Kind of backend, which is also the name of its configuration, and the contracts that it runs."""

TRIAGE = {
    "status": "ok",
    "result": {
        "category": "billing",
        "priority": "high",
        "summary": "A customer was charged twice for one invoice and asks for a refund of the second charge.",
        "expects_reply": True,
    },
}

DRAFT = """\
Breaking: configuration files need a version key (#812).
New: reports can be exported as CSV (#815).
Fixed: totals of three-way splits were off by a cent (#820).
The linter was updated (#817)."""

CHECK = "Every line stands in the list. Users do not notice #817: leave it out."

NOTES = {
    "status": "ok",
    "result": {
        "summary": "Reports can be exported as CSV; configuration files now need a version key.",
        "breaking": True,
        "sections": [
            {
                "heading": "Breaking",
                "items": [
                    {"text": "Configuration files without a version key are refused: add one.", "changes": ["#812"]}
                ],
            },
            {"heading": "New", "items": [{"text": "Reports can be exported as CSV.", "changes": ["#815"]}]},
            {
                "heading": "Fixed",
                "items": [{"text": "Totals of three-way splits are no longer off by a cent.", "changes": ["#820"]}],
            },
        ],
    },
}

SAID = {"Draft the notes": DRAFT, "Say what the draft claims": CHECK, "Give the answer": json.dumps(NOTES)}
"""By the beginning of the instructions that an agent has in the configurations."""


def model(received: Received) -> Text:
    """What the model of the examples says, by who is asked."""
    system = next(message["content"] for message in received.body["messages"] if message["role"] == "system")
    return Text(next((said for told, said in SAID.items() if f"\n{told}" in system), json.dumps(TRIAGE)))


def command(kind: str, contract: str, config: Path, ledger: Path, *flags: object) -> list[str]:
    """The words of the call that runs one of the examples."""
    given = ROOT / "contracts" / "examples" / f"{contract}.input.json"
    words = ["run", ROOT / "contracts" / f"{contract}.worker.md", given, "--config", config, "--ledger", ledger, *flags]
    return [*map(str, words)]


def record(kind: str, contract: str, target: Path) -> None:
    """Run an example against the scripted model and keep its attempts in `target`."""
    with Server(model) as server, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "workermd.toml"
        said = (FOLDER / f"{kind}.toml").read_text()
        config.write_text(re.sub(r'base_url = ".*"', f'base_url = "{server.url}"', said))
        flags = ("--record", target, "--quiet")
        subprocess.run(
            [sys.executable, "-m", "workermd", *command(kind, contract, config, Path(folder) / "ledger.db", *flags)],
            check=True,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )


if __name__ == "__main__":
    for kind, contracts in EXAMPLES.items():
        shutil.rmtree(FOLDER / kind, ignore_errors=True)
        for contract in contracts:
            record(kind, contract, FOLDER / kind)
