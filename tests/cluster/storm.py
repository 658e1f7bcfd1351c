"""Machines, nodes, hosts, engines and databases are killed, stopped, frozen and cut off while runs are carried out.

    python -m tests.cluster.storm [--minutes N] [--seconds N] [--seed N] [--runs N]
    python -m tests.cluster.storm --ablate NAME|all

Each machine has a network namespace of its own on a bridge of ours; four carry runs out, two hold the database and its
synchronous standby, one is a client's. A seed's verdict is kept in `.storm/`, in a folder for this state of the program: the
next call goes on where the last one ended, until the seeds come to the runs, kills and stops that are wanted. `--ablate`
takes one of the things away that the promises rest on: the auditor has to notice.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster import memory_engine, namespaces
from tests.cluster.ablations import ABLATIONS, copied
from tests.cluster.audit import Audit, Watch, note_judgements
from tests.cluster.databases import Pair
from tests.cluster.machines import ROOT, Machines, shorten_leases, wait_until_done
from tests.cluster.weather import GRACE, KILLS, LEASE, MARGIN, STOPS, STORM, Climate, Weather
from tests.postgres_server import WHY_NOT, binaries

WANTED = {"runs": 3000, "kills": 300, "stops": 60}
NODES = ("first", "second", "third", "fourth")
CLIENT = "caller"
KEPT = ROOT / ".storm"
CLIENTS = 3


class Plan(NamedTuple):
    """What a seed is: how long it blows over how many runs, what brings them to nodes, what is broken in the program."""

    seed: int
    seconds: float
    runs: int
    engine: str
    standby: bool
    climate: Climate = STORM
    source: Path = ROOT
    patience: float = 240.0
    task_seconds: float = 0.0  # otherwise some are short, some longer than an absence


def planned(seed: int, seconds: float, runs: int) -> Plan:
    """Engines by turns. DBOS takes the address of one server only."""
    engines = ["ledger", "memory", "ledger"]
    engines += ["dbos"] * _has("dbos") + ["celery"] * bool(_has("celery") and shutil.which("redis-server"))
    engine = engines[seed % len(engines)]
    return Plan(seed, seconds, runs, engine, standby=engine != "dbos")


def _has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


class Result(NamedTuple):
    audit: Audit
    weather: Weather
    done: bool
    logs: str

    def faults(self) -> list[str]:
        return [*self.audit.faults(), *(["not done in time"] * (not self.done))]

    def document(self, plan: Plan) -> dict[str, object]:
        deeds = self.weather.done
        return {
            "seed": plan.seed,
            "engine": plan.engine,
            "standby": plan.standby,
            "deeds": dict(sorted(deeds.items())),
            "kills": sum(deeds[word] for word in KILLS),
            "stops": sum(deeds[word] for word in STOPS),
            "audit": {name: count for name, count in vars(self.audit).items() if isinstance(count, int)},
            "told": self.audit.told,
            "faults": self.faults(),
        }


def stormed(plan: Plan, folder: Path) -> Result:
    """Inside of namespaces only."""
    network = namespaces.Network()
    for name in (*NODES, CLIENT):
        network.add(name)
    with contextlib.ExitStack() as closing:
        pair = Pair(network, folder, standby=plan.standby)
        closing.callback(pair.close)
        pair.execute("CREATE DATABASE runs")
        address = pair.address("runs")
        (folder / "work").mkdir()
        words, broker = closing.enter_context(_engine(plan, folder))
        machines = Machines(folder / "work", address, jobs=3, network=network, source=plan.source)
        closing.callback(machines.close)
        prepared = machines.call("ledger", "init", spool=CLIENT)
        assert prepared.returncode == 0, prepared.stderr
        shorten_leases(pair, address, LEASE, GRACE, MARGIN)
        note_judgements(pair, address)
        watch = Watch(pair, machines)
        closing.callback(watch.close)
        weather = Weather(network, pair, machines, watch, plan.seed, plan.climate, words, NODES, broker)
        for name in NODES:
            weather.start(name)
        clients = _Clients(machines, plan, words[:2])
        weather.blow(plan.seconds)
        done = clients.wait(plan.patience) and wait_until_done(pair, address, plan.patience)
        machines.close()
        time.sleep(0.5)
        audit = Audit(pair, machines, watch, weather.away, clients.told, plan.runs, pair.starts, GRACE)
        audit.ended_by_itself = len(weather.ended_by_itself)
        audit.ledger_unsound = int(machines.call("ledger", "check", spool=CLIENT).returncode != 0)
        logs = "".join(f"== {log.name}\n{log.read_text()[-3000:]}" for log in sorted(machines.folder.glob("*.log")))
        return Result(audit, weather, done, logs)


@contextlib.contextmanager
def _engine(plan: Plan, folder: Path) -> Iterator[tuple[list[str], Callable[[], None] | None]]:
    """The words that choose it, and what befalls its broker where it has one that may be killed."""
    if plan.engine == "ledger":
        yield ["--engine", "ledger"], None
    elif plan.engine == "memory":
        broker = memory_engine.Broker(plan.seed, memory_engine.Badness(), host="10.77.0.254")
        os.environ["MEMORY_BROKER"] = broker.address
        yield ["--engine", memory_engine.NAME, "--again-after", "5"], broker.forget
        broker.close()
    elif plan.engine == "celery":
        with _redis(folder) as restart:
            yield ["--engine", "celery", "--again-after", "5"], restart
    else:
        yield ["--engine", plan.engine, "--again-after", "5"], None


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[Callable[[], None]]:
    (folder / "redis").mkdir()
    words = ["redis-server", "--port", "6379", "--bind", "10.77.0.254", "--appendonly", "yes", "--save", ""]
    words += ["--dir", str(folder / "redis"), "--protected-mode", "no"]
    running: list[subprocess.Popen[bytes]] = []
    turn = threading.Lock()

    def start() -> None:
        running.append(subprocess.Popen(words, stdout=subprocess.DEVNULL))

    def restart() -> None:
        with turn:
            running[-1].kill()
            running[-1].wait()
            time.sleep(0.5)
            start()

    start()
    os.environ["WORKERMD_BROKER"] = "redis://10.77.0.254:6379/0"
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("10.77.0.254", 6379), 1):
            break
        time.sleep(0.1)
    yield restart
    running[-1].kill()
    running[-1].wait()


class _Clients:
    """Hand the runs over, and wait for the answers, again and again until they have them all."""

    def __init__(self, machines: Machines, plan: Plan, words: list[str]) -> None:
        self.machines = machines
        self.words = words
        self.told: dict[str, set[bytes]] = defaultdict(set)
        self._turn = threading.Lock()
        self._given_up = threading.Event()
        self._threads = []
        for number in range(CLIENTS):
            ids = range(number, plan.runs, CLIENTS)
            path = machines.folder / f"in{number}.jsonl"
            path.write_text(
                "".join(f'{{"run_id": "r{n}", "seconds": {plan.task_seconds or _seconds(n)}}}\n' for n in ids)
            )
            self._threads.append(threading.Thread(target=self._ask, args=(path.name,), daemon=True))
        for thread in self._threads:
            thread.start()

    def _ask(self, path: str) -> None:
        words = ["batch", "count.worker.md", path, "--cluster", *self.words]
        while not self._given_up.is_set():
            done = self.machines.call(*words, spool=CLIENT)
            with self._turn:
                for line in done.stdout.splitlines():
                    with contextlib.suppress(ValueError):  # the last line of one that was ended
                        document = json.loads(line)
                        if document["status"] == "ok":
                            self.told[document["run_id"]].add(line)
            if done.returncode in (0, 1):
                return
            (self.machines.folder / f"{path}.log").write_bytes(done.stderr)
            time.sleep(1)

    def wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.1, until - time.monotonic()))
        self._given_up.set()
        return not any(thread.is_alive() for thread in self._threads)


def _seconds(number: int) -> float:
    """Most runs are short; one in 20 takes as long as a short absence, one in 60 longer than a lease."""
    return LEASE + 2 if number % 60 == 31 else 4.0 if number % 20 == 7 else 0.1 + number % 5 * 0.1


def state() -> str:
    """Names this state of the program and of the storm: verdicts over another one count for nothing."""
    rooms = ("workermd/attempt", "workermd/batch", "workermd/ledger", "workermd/runner", "tests/cluster")
    digest = sha256()
    for path in sorted(path for room in rooms for path in (ROOT / room).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def one(plan: Plan, ablation: str = "") -> Result:
    with tempfile.TemporaryDirectory(prefix="wmd-storm-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        if ablation:
            plan = plan._replace(source=copied(ablation, Path(folder, "source")))
        return stormed(plan, Path(folder))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.storm", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--minutes", type=float, default=60, help="begin no further seed after so many, less one seed's"
    )
    parser.add_argument("--seconds", type=float, default=90, help="of storm in each seed")
    parser.add_argument("--runs", type=int, default=360, help="in each seed")
    parser.add_argument("--seed", type=int, help="this one alone; nothing is kept")
    parser.add_argument("--ablate", choices=[*ABLATIONS, "all"], metavar="NAME", help=", ".join([*ABLATIONS, "all"]))
    parser.add_argument("--verdict", type=Path, help="the file to write the one seed's verdict to")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was entered is left, whoever ends us
    if reason := WHY_NOT if not binaries() else namespaces.why_not():
        print(reason)
        return 2
    if namespaces.inside():
        return _inside(options)
    if options.ablate == "all":
        found = [_ablated(name) for name in ABLATIONS]
        return int(not all(found))
    if options.ablate:
        return int(not _ablated(options.ablate))
    if options.seed is None:
        return _all(options.minutes, options.seconds, options.runs)
    document = entered(["--seed", str(options.seed), "--seconds", str(options.seconds), "--runs", str(options.runs)])
    print(json.dumps(document))
    return int(document is None or bool(document["faults"]))


def _inside(options: argparse.Namespace) -> int:
    """One seed, in namespaces of our own."""
    plan = planned(options.seed, options.seconds, options.runs)
    if options.ablate:
        plan = Plan(
            options.seed, options.seconds, options.runs, "ledger", standby=True, climate=ABLATIONS[options.ablate].climate,
            patience=60.0, task_seconds=ABLATIONS[options.ablate].task_seconds,
        )  # fmt: skip
    result = one(plan, options.ablate or "")
    options.verdict.write_text(json.dumps(result.document(plan)))
    if result.faults() and not options.ablate:
        print(result.logs, file=sys.stderr)
    return 0


def entered(words: list[str]) -> dict[str, Any] | None:
    """The verdict over one seed; None where the storm itself failed."""
    with tempfile.TemporaryDirectory(prefix="wmd-verdict-") as folder:
        file = Path(folder, "verdict.json")
        argv = [sys.executable, "-m", "tests.cluster.storm", *words, "--verdict", str(file)]
        if namespaces.enter(argv) or not file.exists():
            return None
        found: dict[str, Any] = json.loads(file.read_text())
        return found


def _ablated(name: str) -> bool:
    """Whether the auditor noticed what the thing's absence has to lead to, in one of three seeds."""
    ablation = ABLATIONS[name]
    for seed in (1, 2, 3):
        words = [
            "--ablate",
            name,
            "--seed",
            str(seed),
            "--seconds",
            str(ablation.seconds),
            "--runs",
            str(ablation.runs),
        ]
        document = entered(words)
        if document is None:
            print(f"{name}, seed {seed}: the storm itself failed; this seed says nothing", flush=True)
            continue
        seen = document["faults"]
        red = any(fault.partition(":")[0] in ablation.faults for fault in seen)
        print(f"{name}, seed {seed}: {'red' if red else 'NOT SEEN'}: {', '.join(seen) or 'no fault'}", flush=True)
        if red:
            return True
    return False


def _all(minutes: float, seconds: float, runs: int) -> int:
    """Seeds from 1 on, until they come to what is wanted; those kept count."""
    began, folder = time.monotonic(), KEPT / state()
    folder.mkdir(parents=True, exist_ok=True)
    kept = [json.loads(path.read_text()) for path in sorted(folder.glob("seed-*.json"))]
    for document in kept:
        print(_line(document), "(kept)", flush=True)
    seed, longest = 0, seconds + 60
    while _short_of(kept):
        seed += 1
        path = folder / f"seed-{seed}.json"
        if path.exists():
            continue
        at = time.monotonic()
        if at - began + longest > minutes * 60:
            break
        document = entered(["--seed", str(seed), "--seconds", str(seconds), "--runs", str(runs)])
        if document is None:
            print(f"seed {seed}: the storm itself failed")
            return 2
        longest = max(longest, time.monotonic() - at)
        document["lasted"] = round(time.monotonic() - at, 1)
        path.write_text(json.dumps(document))
        kept.append(document)
        print(_line(document), flush=True)
    return _told(kept)


def _totals(kept: list[dict[str, Any]]) -> dict[str, int]:
    return {
        "runs": sum(document["audit"]["runs"] for document in kept),
        "kills": sum(document["kills"] for document in kept),
        "stops": sum(document["stops"] for document in kept),
    }


def _short_of(kept: list[dict[str, Any]]) -> list[str]:
    return [name for name, count in _totals(kept).items() if count < WANTED[name]]


def _line(document: dict[str, Any]) -> str:
    audit = document["audit"]
    return (
        f"seed {document['seed']:>2} {document['engine']:<7} {audit['runs']:>4} runs {audit['attempts']:>5} attempts"
        f" {document['kills']:>3} kills {document['stops']:>3} stops: {', '.join(document['faults']) or 'nothing wrong'}"
    )


def _told(kept: list[dict[str, Any]]) -> int:
    totals, deeds, audit = _totals(kept), Counter[str](), Counter[str]()
    for document in kept:
        deeds.update(document["deeds"])
        audit.update(document["audit"])
    print(f"\n{len(kept)} seeds: " + ", ".join(f"{count} {name}" for name, count in totals.items()))
    print("deeds    " + ", ".join(f"{count} {name}" for name, count in sorted(deeds.items())))
    print("audit    " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in audit.items()))
    if short := _short_of(kept):
        print(f"too few {', '.join(short)} yet: call it again, it goes on from here")
    wrong = [document for document in kept if document["faults"]]
    print("nothing wrong" if not wrong else f"wrong: seeds {[document['seed'] for document in wrong]}")
    return 1 if wrong else 3 if short else 0


if __name__ == "__main__":
    sys.exit(main())
