"""The shipped suites, with the scripted server where a model is needed: `python -m tests.bench.demo FOLDER [SUITE …]`.

The suites name ports that are fixed; here they are copied, with the ports of servers that play. `make bench-demo` makes
the pages of two of them.
"""

import contextlib
import hashlib
import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path

from tests.conftest import ROOT
from workermd.testing import Server, Text, Usage

SUITES = ROOT / "contracts" / "bench"
DEMO = ("data-validation", "ticket-triage")

WORDS = {"card": "billing", "invoice": "billing", "refund": "billing", "crash": "bug", "recieve": "bug", "total": "bug"}
WORDS |= {"how": "how-to", "log in": "account", "account": "account"}
HIGH = ("twice", "six weeks", "crash", "abroad")
LOW = ("recieve", "how", "kind", "newsletter")


def _triage(model, text):
    """The careful model reads; the quick one looks at a few letters and believes whoever shouts."""
    text = text.lower()
    category = next((WORDS[word] for word in WORDS if word in text), "other")
    priority = (
        "high" if any(word in text for word in HIGH) else "low" if any(word in text for word in LOW) else "normal"
    )
    if model == "quick":
        if "urgent" in text:
            priority = "high"
        elif hashlib.sha256(text.encode()).digest()[0] % 2:
            category, priority = "other", "normal"
    return {"category": category, "priority": priority, "summary": "A ticket was sent.", "expects_reply": True}


def _notes(model, text):
    ids = [each for each in ("#812", "#815", "#820") if each in text]
    made_up = ["#999"] if model == "quick" else []
    items = [{"text": "A change.", "changes": [each]} for each in (*ids, *made_up)]
    return {"summary": "Changes.", "breaking": "#812" in text, "sections": [{"heading": "Changes", "items": items}]}


def answers(request):
    body = request.body
    model, text = body["model"], json.dumps(body["messages"])
    result = (_notes if "ledgerline" in text else _triage)(model, body["messages"][-1]["content"])
    usage = Usage(len(text) // 4, 120 if model == "careful" else 40)
    return Text(json.dumps({"status": "ok", "result": result}), usage=usage)


@contextlib.contextmanager
def pages():
    """A server of the page that web-extract's suite reads. Its port."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(ROOT / "contracts" / "examples"))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def played(folder):
    """Copies of the suites whose servers play, in a folder; their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    with Server(answers) as server, pages() as port:
        for path in (*SUITES.glob("*.bench.yaml"), SUITES / "models.toml"):
            text = path.read_text().replace("127.0.0.1:8765", f"127.0.0.1:{server.port}")
            text = text.replace("127.0.0.1:8766", f"127.0.0.1:{port}").replace("../", f"{ROOT}/contracts/")
            (folder / path.name).write_text(text)
        yield {path.name.removesuffix(".bench.yaml"): path for path in sorted(folder.glob("*.bench.yaml"))}


def main(folder, *names):
    """The pages of some suites, those of the demo without names. 1 where a gate fails."""
    worst = 0
    with played(Path(folder) / "suites") as suites:
        for name in names or DEMO:
            page = Path(folder) / f"{name}.html"
            report = ["--report", f"html={page}", "--ledger", str(Path(folder) / "ledger.db"), "--no-config"]
            call = [sys.executable, "-m", "workermd", "bench", str(suites[name]), *report]
            worst = max(worst, subprocess.run(call, check=False).returncode)
            print(f"the page: {page}\n")
    return worst


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
