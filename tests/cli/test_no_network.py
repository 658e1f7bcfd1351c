"""No telemetry: every command does its work in a network namespace that holds nothing, and asks for no address in it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT, contract_text, patience
from workermd.cli.table import COMMANDS

pytestmark = pytest.mark.cold

CALLS = [
    ("run a.worker.md input.json --backend command -- cat answer.json", 0),
    ("batch a.worker.md inputs.jsonl --backend command -- cat answer.json", 0),
    ("serve a.worker.md --tokens nowhere", 2),
    ("bench nowhere.toml", 2),
    ("bench score nowhere.json", 2),
    ("bench import nowhere.json", 2),
    ("validate a.worker.md", 0),
    ("diff a.worker.md a.worker.md", 0),
    ("fmt a.worker.md --check", 0),
    ("doctor --offline", 0),
    ("runs list", 0),
    ("runs show r1", 0),
    ("runs stats", 0),
    ("runs export", 0),
    ("runs tail --config nowhere.toml", 2),
    ("runs pending", 0),
    ("runs reopen r1", 2),
    ("runs verify", 0),
    ("runs receipt r1", 0),
    ("runs verify-receipt nowhere.json --public-key key.pem", 2),
    ("runs erase r1 --by ann", 0),
    ("runs prune --all", 0),
    ("ledger check", 0),
    ("ledger backup copy.db", 0),
    ("ledger salvage saved.db", 0),
    ("ledger compact", 0),
    ("ledger init --ledger new.db", 0),
    ("studio a.worker.md --port 99999", 2),
    ("conformance --list-cases", 0),
    ("fuzz a.worker.md --draws 3 --backend command -- cat answer.json", 0),
    ("approve r1", 2),
    ("submit a.worker.md input.json", 2),
    ("node run", 2),
    ("node list", 2),
    ("registry list", 0),
    ("registry search derived", 0),
    ("registry show autogen", 0),
    ("registry add a.worker.md --registry registry", 0),
    ("registry verify --registry registry", 0),
    ("derive .", 0),
    ("lsp", 1),
    ("rule WM101", 0),
    ("new greet", 0),
    ("import nowhere.json", 2),
    ("init", 0),
    ("docs", 0),
    ("help run", 0),
    ("version", 0),
    ("schema envelope", 0),
]
"""A call of each command, and its exit code. A command that is missing here fails the test."""

CARRIED_OUT = """
import json, os, socket, sys
from workermd.cli.main import main
asked = open("asked", "a")
def hear(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        by_address = isinstance(given[0], socket.socket)  # else it looks a name up
        inside = by_address and (given[0].family not in (socket.AF_INET, socket.AF_INET6) or given[1][0] == "127.0.0.1")
        if not inside and given[0] != "127.0.0.1":  # the trial of what this machine holds asks itself
            asked.write(f"{sys.argv[1:]} {event} {given}\\n")
            asked.flush()
sys.addaudithook(hear)
codes = []
for call in json.loads(sys.argv[1]):
    pid = os.fork()
    if pid == 0:
        for number, name in ((0, "/dev/null"), (1, "out"), (2, "err")):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
        sys.argv = ["workermd", *call]
        main()
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(json.dumps(codes))
"""


def test_every_command_works_without_a_network_and_looks_for_none(cli, tmp_path):
    apart = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("network namespaces are not allowed here")
    missing = {command.name for command in COMMANDS} - {
        next(c.name for c in sorted(COMMANDS, key=lambda c: -len(c.name)) if call.split()[: len(c.name)] == [*c.name])
        for call, _ in CALLS
    }
    assert missing == set(), "a new command needs a call here"
    (tmp_path / "a.worker.md").write_text(contract_text())
    (tmp_path / "input.json").write_text('{"run_id": "r1"}')
    (tmp_path / "inputs.jsonl").write_text('{"run_id": "b1"}\n')
    (tmp_path / "answer.json").write_text('{"status": "ok", "result": {}}')
    shutil.copytree(ROOT / "registry", tmp_path / "registry")
    for words in (("init", "-q"), ("add", "-A"), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    calls = [call.split() for call, _ in CALLS]
    done = subprocess.run(
        [*apart, sys.executable, "-c", CARRIED_OUT, json.dumps(calls)],
        capture_output=True, text=True, cwd=tmp_path, env=cli.environment, timeout=patience(100), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = (tmp_path / "err").read_text()
    assert dict(zip([call for call, _ in CALLS], json.loads(done.stdout), strict=True)) == dict(CALLS), told
    assert (tmp_path / "asked").read_text() == ""
