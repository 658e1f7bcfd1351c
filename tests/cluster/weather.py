"""What befalls machines and databases in the storm: each has a thread of its own that does one deed after the other."""

import contextlib
import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.cluster.audit import Away, Watch
from tests.cluster.databases import Pair
from tests.cluster.machines import Machines
from tests.cluster.namespaces import Network

LEASE, GRACE, MARGIN = 12.0, 4.0, 1.0


class Climate(NamedTuple):
    """How often each deed is done, in relation to the others of its thread; the pauses between deeds; how long is short."""

    nodes: Mapping[str, int]
    databases: Mapping[str, int]
    pause: tuple[float, float] = (0.5, 3.0)
    database_pause: tuple[float, float] = (2.0, 6.0)


KILLS = frozenset({"node killed", "host killed", "machine killed", "machine lost", "machine away", "engine killed"})
STOPS = frozenset({"stop", "long stop", "backend killed", "fail-over", "fail-over while commits hang"})

STORM = Climate(
    {
        "node killed": 6, "host killed": 5, "machine killed": 5, "machine lost": 1, "machine away": 1, "engine killed": 2,
        "node frozen": 2, "node frozen long": 1, "machine frozen": 2, "machine frozen long": 1, "cut off": 3, "cut off long": 1,
    },
    {"stop": 8, "long stop": 1, "backend killed": 2, "fail-over": 2, "fail-over while commits hang": 2, "standby cut off": 2},
)  # fmt: skip


class Weather:
    """One seed. What it did stands in `done`, and when machines were away in `away`."""

    def __init__(
        self, network: Network, pair: Pair, machines: Machines, watch: Watch, seed: int, climate: Climate,
        words: Sequence[str], names: Sequence[str], broker: Callable[[], None] | None,
    ) -> None:  # fmt: skip
        self.network = network
        self.pair = pair
        self.machines = machines
        self.watch = watch
        self.seed = seed
        self.climate = climate
        self.words = words
        self.names = names
        self.broker = broker
        self.done: Counter[str] = Counter()
        self.away: list[Away] = []
        self.ended_by_itself: list[str] = []
        self.failures: list[BaseException] = []
        self._over = threading.Event()

    def blow(self, seconds: float) -> None:
        turns: list[Callable[[], None]] = [_Machine(self, name).turn for name in self.names if self.climate.nodes]
        if self.climate.databases:
            turns.append(_Servers(self).turn)
        threads = [threading.Thread(target=self._kept, args=(turn,)) for turn in turns]
        for thread in threads:
            thread.start()
        self._over.wait(seconds)
        self._over.set()
        for thread in threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def start(self, name: str) -> None:
        self.machines.start(name, *self.words)

    def wait(self, seconds: float) -> bool:
        """Whether the storm is over."""
        return self._over.wait(seconds)

    def _kept(self, turn: Callable[[], None]) -> None:
        try:
            turn()
        except BaseException as error:  # noqa: BLE001 - the storm itself is at fault: its seed counts for nothing
            self.failures.append(error)
            self._over.set()


class _Machine:
    """What befalls one machine. It is whole again at the end of each deed."""

    def __init__(self, weather: Weather, name: str) -> None:
        self.weather = weather
        self.name = name
        self.random = random.Random(f"{weather.seed} {name}")
        self.deeds: dict[str, Callable[[], bool]] = {
            "node killed": lambda: self.killed(machine=False),
            "machine killed": lambda: self.killed(machine=True),
            "machine lost": lambda: self.killed(machine=True, lost=True),
            "machine away": lambda: self.killed(machine=True, away=LEASE + GRACE),
            "host killed": self.host_killed,
            "engine killed": self.engine_killed,
            "node frozen": lambda: self.frozen(0.0, machine=False),
            "node frozen long": lambda: self.frozen(LEASE + 2, machine=False),
            "machine frozen": lambda: self.frozen(0.0, machine=True),
            "machine frozen long": lambda: self.frozen(LEASE + 2, machine=True),
            "cut off": lambda: self.cut_off(0.0),
            "cut off long": lambda: self.cut_off(LEASE + 2),
        }

    def turn(self) -> None:
        weather = self.weather
        words, weights = [*weather.climate.nodes], [*weather.climate.nodes.values()]
        while not weather.wait(self.random.uniform(*weather.climate.pause)):
            (word,) = self.random.choices(words, weights)
            if weather.machines.nodes[self.name].poll() is not None:
                weather.ended_by_itself.append(self.name)
                weather.machines.nodes.pop(self.name)
                weather.start(self.name)
            elif self.deeds[word]():
                weather.done[word] += 1

    def short(self) -> float:
        return self.random.uniform(0.1, 0.3 * LEASE)

    def killed(self, *, machine: bool, lost: bool = False, away: float = 0.0) -> bool:
        began = time.time()
        self.weather.machines.kill(self.name, machine=machine)
        spool = self.weather.machines.folder / self.name
        if lost:
            with contextlib.suppress(OSError):
                self.weather.watch.look()
                self.weather.watch.lost.add((spool / "id").read_text().split()[0])
            shutil.rmtree(spool, ignore_errors=True)
        time.sleep(away or self.random.uniform(0.1, 1.5))
        self.weather.start(self.name)
        self.note("killed", began)
        return True

    def host_killed(self) -> bool:
        """A process of the machine that is neither the node nor the engine's: a keeper, a host, a task."""
        node = self.weather.machines.nodes[self.name].pid
        doomed = [pid for pid in self.weather.network.pids(self.name) if pid != node and not _is_engine(pid)]
        return bool(doomed) and _sent(self.random.choice(doomed), signal.SIGKILL)

    def engine_killed(self) -> bool:
        """With it, every second time, what is between it and the others."""
        if self.weather.broker is not None and self.random.random() < 0.3:
            self.weather.broker()
            return True
        doomed = [pid for pid in self.weather.network.pids(self.name) if _is_engine(pid)]
        return bool(doomed) and _sent(self.random.choice(doomed), signal.SIGKILL)

    def frozen(self, seconds: float, *, machine: bool) -> bool:
        began = time.time()
        if machine:
            self.weather.network.send(self.name, signal.SIGSTOP)
        else:
            _sent(self.weather.machines.nodes[self.name].pid, signal.SIGSTOP)
        time.sleep(seconds or self.short())
        if machine:
            self.note("frozen", began)
            self.weather.network.send(self.name, signal.SIGCONT)
        else:
            _sent(self.weather.machines.nodes[self.name].pid, signal.SIGCONT)
            self.note("node frozen", began)
        return True

    def cut_off(self, seconds: float) -> bool:
        began = time.time()
        self.weather.network.cut(self.name, silently=self.random.random() < 0.5)
        time.sleep(seconds or self.short())
        self.weather.network.mend(self.name)
        self.note("cut off", began)
        return True

    def note(self, how: str, began: float) -> None:
        self.weather.away.append(Away(self.name, how, began, time.time()))


class _Servers:
    """What befalls the databases."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.random = random.Random(f"{weather.seed} databases")
        pair = weather.pair
        self.deeds: dict[str, Callable[[], object]] = {
            "stop": lambda: pair.restart(self.random.uniform(0.1, 1.5)),
            "long stop": lambda: pair.restart(LEASE + 2),
            "backend killed": self.backend_killed,
            "fail-over": lambda: pair.fail_over(hanging_seconds=0, isolated=self.random.random() < 0.5),
            "fail-over while commits hang": lambda: pair.fail_over(
                hanging_seconds=self.random.uniform(0.5, 2), isolated=self.random.random() < 0.5
            ),
            "standby cut off": lambda: pair.cut_standby(self.random.uniform(0.2, 2)),
        }

    def backend_killed(self) -> bool:
        return self.weather.pair.primary.crash_a_backend()

    def turn(self) -> None:
        weather = self.weather
        chosen = {
            word: weight
            for word, weight in weather.climate.databases.items()
            if weather.pair.standby or word in ("stop", "long stop", "backend killed")
        }
        while not weather.wait(self.random.uniform(*weather.climate.database_pause)):
            (word,) = self.random.choices([*chosen], [*chosen.values()])
            began = time.time()
            self.deeds[word]()
            weather.done[word] += 1
            weather.away.append(Away("databases", word, began, time.time()))


def _sent(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _is_engine(pid: int) -> bool:
    try:
        return b"engine_process" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
