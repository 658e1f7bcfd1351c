"""One attempt of the program `attacks`, with everything beside it that it could want; what it came to, as JSON.

    python -m tests.sandbox.trial MODE FOLDER [bounded]     the last with `network` and `files` of a contract
    python -m tests.sandbox.trial MODE FOLDER REACH CODE   any program, within bounds given as JSON

A program of its own, because it is also run as another user.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from workermd.attempt.order import Order
from workermd.attempt.spawn import Host
from workermd.ledger import results
from workermd.ledger.run_lock import RunLock
from workermd.sandbox.fence import HOSTS, OFF
from workermd.sandbox.policy import Reach, Sandbox, fence_around
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, Task

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
OWN_RECORDING = ".recording.json"
"""The host records its own attempt into the folder that is out of the task's sight."""

UNBOUND = Reach()

_BYSTANDER = """
import ctypes, mmap, os, signal, sys, time
sys.argv.append("bystander")
noted = open(sys.argv[1], "w")
def note(number, _):
    noted.write(f"{number}\\n"); noted.flush()
for number in (signal.SIGTERM, signal.SIGUSR1):
    signal.signal(number, note)
text = ctypes.create_string_buffer(b"SECRET")
shared = ctypes.CDLL(None).shmget(int(sys.argv[2]), 4096, 0o1600)
print(ctypes.addressof(text), flush=True)
time.sleep(120)
"""


def main() -> None:
    mode, folder = sys.argv[1], Path(sys.argv[2])
    os.umask(0o022)
    os.environ["WORKERMD_TEST_KEY"] = "SECRET"
    if len(sys.argv) > 4:
        print(json.dumps(carried_out(mode, folder, Reach(**json.loads(sys.argv[3])), sys.argv[4])))
    else:
        print(json.dumps(carried_out(mode, folder, bounded=len(sys.argv) > 3)))


def carried_out(mode: str, folder: Path, reach: Reach = UNBOUND, code: str = "", *, bounded: bool = False) -> dict:
    targets = prepared(folder)
    came: list[bytes] = []
    if bounded:
        held_to = services(folder, targets, came)
        reach = reach if mode == OFF else held_to
    noted, shared = folder / "noted", os.getpid() + 0x5EC0000
    bystander = subprocess.Popen(
        [sys.executable, "-c", _BYSTANDER, str(noted), str(shared), "bystander"],
        stdout=subprocess.PIPE,
        cwd=folder / "state",
        env=os.environ | {"KEY": "SECRET"},
    )
    assert bystander.stdout is not None
    address = int(bystander.stdout.readline())
    engine, abstract = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    engine.bind(str(folder / "engine.sock"))
    abstract.bind("\0workermd-attack-" + str(os.getpid()))
    for each in (engine, abstract):
        each.listen()
    targets |= {
        "mode": mode,
        "bystander": bystander.pid,
        "caller": os.getpid(),
        "address": address,
        "engine": str(folder / "engine.sock"),
        "abstract": "workermd-attack-" + str(os.getpid()),
        "shared": shared,
        "sleep": 4000 + os.getpid() % 1000,
    }
    before = state(targets)
    began = time.monotonic()
    outcome = attempt(mode, folder, targets, reach, code)
    outcome["seconds"] = time.monotonic() - began
    time.sleep(0.2)
    outcome["noted"] = noted.read_text().split()
    outcome["bystander_lives"] = bystander.poll() is None
    outcome["changed"] = [path for path, content in state(targets).items() if before.get(path) != content]
    outcome["left"] = left(targets)
    outcome["came"] = len(came)
    outcome["written"] = sum(path.stat().st_size for path in Path(targets["artifacts"]).rglob("*") if path.is_file())
    bystander.send_signal(signal.SIGKILL)
    bystander.wait()
    return outcome


def prepared(folder: Path) -> dict:
    """A ledger as it lies on disk, with the results and the artifacts of another attempt."""
    state_folder, token = folder / "state", "0" * 32
    ledger = state_folder / "ledger.db"
    own = state_folder / "ledger.db.artifacts" / ("1" * 32)
    for each in (
        ledger.parent / "ledger.db.results",
        own.parent / token,
        own,
        folder / "cache",
        folder / "recordings",
        folder / "home",
        folder / "work",
    ):
        each.mkdir(parents=True)
    secrets = [
        ledger,
        *(Path(f"{ledger}{suffix}") for suffix in ("-wal", "-shm", ".runs", ".lock")),
        Path(f"{ledger}.results") / token,
        Path(f"{ledger}.results") / f"{token}.journal",
        own.parent / token / "report",
        folder / "cache" / "contract.json",
        folder / "recordings" / "one.json",
        folder / "home" / "key",
        folder / "work" / "workermd.toml",
        folder / "temporary",
    ]
    for secret in secrets:
        secret.write_text("SECRET")
    Path(f"{ledger}-journal").touch()
    return {
        "ledger": str(ledger),
        "token": token,
        "artifacts": str(own),
        "own": [str(own)],
        "cache": str(folder / "cache"),
        "recordings": str(folder / "recordings"),
        "configuration": str(folder / "work" / "workermd.toml"),
        "home": str(folder / "home"),
        "temporary": str(folder / "temporary"),
        "package": str(ROOT / "workermd"),
    }


def services(folder: Path, targets: dict, came: list[bytes]) -> Reach:
    """A listed service and another one, a receiver of datagrams, two granted folders and a secret beside them."""
    ports = []
    for word in (b"plain", b"SECRET"):
        listening = socket.create_server(("127.0.0.1", 0))
        ports.append(listening.getsockname()[1])
        threading.Thread(target=answering, args=(listening, word, ports), daemon=True).start()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    threading.Thread(target=lambda: came.append(receiver.recv(100)), daemon=True).start()
    rules, cache, secret = (
        folder / "granted" / "rules",
        folder / "granted" / "cache",
        folder / "granted" / "elsewhere" / "secret",
    )
    for each in (rules, cache, secret.parent):
        each.mkdir(parents=True)
    secret.write_text("SECRET")
    (rules / "rule").write_text("rule")
    targets |= {"bounded": True, "listed": ports[0], "outside": ports[1], "datagrams": receiver.getsockname()[1]}
    targets |= {"secret": str(secret), "rules_granted": str(rules), "cache_granted": str(cache)}
    granted = {"rulebook": str(rules), "cache": str(cache)}
    return Reach(
        network=HOSTS, hosts=(f"127.0.0.1:{ports[0]}",), files=True, granted=granted, written=frozenset({"cache"})
    )


def answering(listening: socket.socket, word: bytes, ports: list[int]) -> None:
    """A small service: its word, or for `/away` the way to the other one."""
    while True:
        line, _ = listening.accept()
        with line:
            asked = line.recv(1 << 16)
            head = b"HTTP/1.1 200 OK"
            if b" /away" in asked:
                head = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/" % ports[1]
            line.sendall(head + b"\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(word) + word)


def state(targets: dict) -> dict[str, str]:
    """What no task may change, by its path."""
    folder = Path(targets["ledger"]).parent
    watched = [*folder.rglob("*"), *Path(targets["cache"]).rglob("*"), Path(targets["configuration"])]
    watched += [*Path(targets["recordings"]).rglob("*")]
    mine = Path(targets["artifacts"])
    return {
        str(path): path.read_text(errors="replace")
        for path in watched
        if path.is_file()
        and mine not in path.parents
        and path.suffix != ".log"
        and not path.name.endswith(OWN_RECORDING)
    }


def attempt(mode: str, folder: Path, targets: dict, reach: Reach, code: str) -> dict:
    ledger = targets["ledger"]
    wanted = Sandbox(
        mode, targets["configuration"], targets["recordings"], readable=(str(folder / "work"), str(ROOT)), reach=reach
    )
    fence = fence_around(wanted, ledger=ledger, own=targets["artifacts"], contracts=targets["cache"])
    program = (sys.executable, str(Path(__file__).with_name("attacks.py")), json.dumps(targets))
    if code:
        program = (sys.executable, "-c", code, targets["artifacts"])
    binding = Binding(kind="command", origin="the test", command=program, env=("PYTHONPATH",))
    os.environ["PYTHONPATH"] = str(ROOT)
    os.chdir(folder / "work")
    with RunLock.open(ledger) as lock:
        host = Host.start(binding, lock.fd, results.prepare(ledger), fence)
        host.wait_ready(time.monotonic() + 60, lambda: None)
        deadline = time.monotonic() + SECONDS
        token = results.new_token()
        host.send(
            Order(a_task(targets), Limits(deadline, 1 << 20), {}, ledger + ".results", token), deadline, lambda: None
        )
        host.finish(deadline, lambda: None)
        log = b""
        while chunk := host.log():
            log += chunk
        host.close_log()
    data = results.read(ledger + ".results", token)
    os.unlink(os.path.join(ledger + ".results", token)) if data else None
    reply = Result.from_json(data.decode()) if data else None
    return {
        "ledger": ledger,
        "held": host.held,
        "attacks": json.loads(reply.output).get("result") if reply and reply.output else None,
        "failure": reply.failure if reply else None,
        "log": log.decode(errors="replace")[-20000:],
    }


def a_task(targets: dict) -> Task:
    return Task(
        worker_id="attacker",
        version="1.0.0",
        run_id="attack",
        attempt=1,
        max_attempts=1,
        seconds_left=SECONDS,
        purpose="",
        mode="agent-orchestration-worker",
        input={},
        output_schema={"type": "object"},
        tools_allowed=None,
        feedback=(),
        decisions=(),
        trace={},
        artifacts_dir=targets["artifacts"],
        settings={},
    )


def left(targets: dict) -> list[str]:
    """Processes of the attacks that outlived the attempt."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if f"time.sleep({targets['sleep']})".encode() in words or (
            b"attacks.py" in words and targets["ledger"].encode() in words
        ):
            found.append(words.decode(errors="replace"))
    return found


if __name__ == "__main__":
    main()
