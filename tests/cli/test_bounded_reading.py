"""What is read has an end: files and streams without one are refused at their cap, in little memory (S6.4)."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.cold  # a process that was forked from a loaded one has its memory too

MOST = 100 << 20
"""Bytes of memory that any of these calls may take."""

ENDLESS = [sys.executable, "-c", "import os\nwhile True: os.write(1, b'{\"a\": 1}\\n' * 8000)"]


MEASURED = """
import os, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(code)
"""
"""A small process between: the peak of a child begins at the memory of the process that it was forked from."""


def called(cli, *arguments, endless=False):
    """The exit code, what was printed and the peak of memory of a call; its input may never end."""
    read, write = os.pipe()
    writer = None
    if endless:
        writer = subprocess.Popen(ENDLESS, stdout=write, stderr=subprocess.DEVNULL)
    os.close(write)
    peak = cli.folder / "peak"
    command = [sys.executable, "-S", "-c", MEASURED, peak, sys.executable, "-m", "workermd", *map(str, arguments)]
    done = subprocess.run(command, stdin=read, capture_output=True, cwd=cli.folder, env=cli.environment, check=False)
    os.close(read)
    if writer is not None:
        writer.kill()
        writer.wait()
    return done.returncode, done.stdout, done.stderr.decode(), int(peak.read_text())


@pytest.mark.rule("S6.4")
@pytest.mark.parametrize(
    "arguments", [("validate", "/dev/zero"), ("validate", "-"), ("fmt", "-"), ("diff", "-", "/dev/zero")]
)
def test_a_contract_without_an_end(cli, arguments):
    code, out, err, peak = called(cli, *arguments, endless=True)
    assert code in (1, 2)
    assert "more than 262144 bytes" in out.decode() + err
    assert peak < MOST


@pytest.mark.rule("S6.4")
def test_an_input_without_an_end(cli, contract, program, tmp_path):
    spec, backend = contract(), program("reply({'result': {}})")
    code, out, _, peak = called(cli, "run", spec, "-", *backend, endless=True)
    assert (code, json.loads(out)["result"]["error"]["code"]) == (3, "input_too_large")
    assert peak < MOST
    (tmp_path / "workermd.toml").write_text("max_input_bytes = 20\n")
    small = cli("run", spec, "-", *backend, given='{"run_id": "r1", "task": "too long"}')
    assert (small.code, small.document["result"]["error"]["code"]) == (3, "input_too_large")
    assert cli("run", spec, "-", *backend, given='{"run_id": "r1"}').code == 0
