"""macOS and Windows, as far as they can be had here: what they lack is taken away in a process of its own.

What only they do (their paths, their line ends, their locks) is left to the hosted workflow.
"""

import json
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT, contract_text

pytestmark = pytest.mark.cold  # names are taken from a fresh interpreter

PREPARED = """
import json, os, sys
platform, arguments = sys.argv[1], sys.argv[2:]
lacking = {
    "darwin": ("pidfd_open", "pipe2", "memfd_create", "unshare", "sched_getaffinity"),
    "win32": ("pidfd_open", "pipe2", "memfd_create", "unshare", "sched_getaffinity", "O_CLOEXEC", "O_NONBLOCK",
              "O_DIRECTORY", "fchmod", "geteuid", "getuid", "fork", "killpg"),
}[platform]
import subprocess, tempfile, shutil, pathlib, threading, concurrent.futures, asyncio, multiprocessing, signal
for name in lacking:
    if hasattr(os, name):
        delattr(os, name)
if platform == "win32":
    for name in ("fcntl", "resource", "pwd", "grp", "termios"):
        sys.modules[name] = None
    del signal.SIGHUP
sys.platform = platform
sys.argv = ["workermd", *arguments]
from workermd.cli.main import main
main()
"""


@pytest.fixture(params=["darwin", "win32"])
def system(request, cli, tmp_path):
    (tmp_path / "a.worker.md").write_text(contract_text())

    def call(*arguments, given=None):
        command = [sys.executable, "-c", PREPARED, request.param, *arguments]
        return subprocess.run(
            command,
            input=given,
            capture_output=True,
            text=True,
            env=cli.environment,
            cwd=tmp_path,
            timeout=100,
            check=False,
        )

    call.platform = request.param
    return call


def test_what_reads_contracts_works(system, tmp_path):
    found = system("validate", ".")
    assert (found.returncode, found.stderr) == (0, "0 errors, 0 warnings in 1 file\n")
    (tmp_path / "b.worker.md").write_text(
        contract_text(purpose="Another.").replace("id: echo\nname: echo\n", "name: echo\nid: echo\n")
    )
    assert system("fmt", "b.worker.md").returncode == 0
    assert (tmp_path / "b.worker.md").read_text() == contract_text(purpose="Another.")
    changed = system("diff", "a.worker.md", "b.worker.md", "--format", "json")
    assert (changed.returncode, bool(json.loads(changed.stdout)["changes"])) == (0, True), changed.stderr
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    for words in (("init", "-q"), ("add", "-A"), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    derived = system("derive", ".", "-o", "derived.worker.md")
    assert derived.returncode == 0, derived.stderr
    assert (tmp_path / "derived.worker.md").exists()
    pytest.importorskip("pygls", reason="the extra lsp is not installed")
    assert system("lsp", given="").returncode == 1, "the editor went away"


@pytest.mark.parametrize("arguments", [("run", "a.worker.md", "-"), ("doctor",), ("runs", "prune", "--all")])
def test_what_carries_out_runs_refuses_by_name(system, arguments):
    done = system(*arguments)
    assert done.returncode == 2
    name = " ".join(word for word in arguments[: 2 if arguments[0] == "runs" else 1])
    assert done.stderr == (
        f"workermd: workermd {name} needs Linux, and this is {system.platform}; use Linux, or WSL on Windows; "
        "validate, fmt, diff, derive and lsp work here\n"
    )
