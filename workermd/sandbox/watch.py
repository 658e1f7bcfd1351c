"""What the processes of an attempt use together, counted by its keeper while they run.

The kernel bounds single processes and single files; what they come to together it counts only in a group (`group`).
So the keeper looks, every `SECONDS`. What is cheap to read is read first: only an attempt that could be above its bound
is looked at closely. A process that the keeper may not look into counts with what everybody may see of it.
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from workermd.system import processes

SECONDS = 0.02
_MIB = 1 << 20
_BLOCK = 512
"""Bytes of a block as `stat` counts them."""

_MOST_ENTRIES = 100_000
"""Files and folders of artifacts; each costs a disk something too, and every look costs time."""
_TOO_MUCH = 1 << 62


class Ceilings(NamedTuple):
    """`memory` in bytes, `processes` with their threads beside the host; 0 is none. `artifacts` in bytes, -1 is none.

    `folder` is that of the artifacts, `log` the number of the attempt's log, a file without a name that is none of them.
    """

    memory: int = 0
    processes: int = 0
    artifacts: int = -1
    folder: str = ""
    log: int = 0

    @property
    def any(self) -> bool:
        return bool(self.memory or self.processes or self.artifacts >= 0)


def breach(bounds: Ceilings, keeper: int, host: int, proxy: int = 0) -> str:
    """The bound that the descendants of the keeper are above, with what they use; empty where there is none."""
    if bounds.processes and (count := _count(bounds.processes, keeper, host, proxy)) > bounds.processes:
        return f"max_processes ({bounds.processes}): at least {count} processes and threads"
    if not bounds.memory and bounds.artifacts < 0:
        return ""
    found = [pid for pid in processes.descendants(keeper) if pid != proxy]
    if bounds.memory and _resident(found) > bounds.memory and (used := sum(map(_share, found))) > bounds.memory:
        return f"max_memory_mb ({bounds.memory // _MIB}): {used / _MIB:.0f} MiB"
    if bounds.artifacts >= 0 and (used := written(bounds, found)) > bounds.artifacts:
        return f"max_artifact_mb ({bounds.artifacts // _MIB}): {used / _MIB:.1f} MiB"
    return ""


def _count(most: int, keeper: int, host: int, proxy: int) -> int:
    """Processes and threads beside the host. It stops where there are too many: they may come faster than we count."""
    count, waiting = 0, [keeper]
    while waiting and count <= most:
        below = [pid for pid in processes.children(waiting.pop(0)) if pid != proxy]
        waiting += below
        count += sum(threads(pid) for pid in below if pid != host)
    return count


def threads(pid: int) -> int:
    try:
        return max(os.stat(f"/proc/{pid}/task").st_nlink - 2, 0)
    except OSError:
        return 0


def _resident(pids: list[int]) -> int:
    """At most what they have, for pages that several share count for each."""
    return sum(_of_status(pid) for pid in pids)


def _of_status(pid: int) -> int:
    """Pages of a process's own and of shared memory; files of a disk can be read again and are none of them."""
    total = 0
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith((b"RssAnon:", b"RssShmem:")):
                total += int(line.split()[1]) * 1024
    return total


def _share(pid: int) -> int:
    """What a process has, shared pages by halves and thirds."""
    total = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith((b"Pss_Anon:", b"Pss_Shmem:")):
                    total += int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return _of_status(pid)
    return total


def written(bounds: Ceilings, pids: list[int]) -> int:
    """Bytes on the disk below the folder, and in files that were removed from its disk and are still open."""
    total = 0
    for count, found in enumerate(_below(bounds.folder)):
        total += found.st_blocks * _BLOCK
        if count > _MOST_ENTRIES:
            return max(total, _TOO_MUCH)
    try:
        device = os.stat(bounds.folder).st_dev
    except OSError:
        return total
    removed = _removed(pids, device)
    removed.pop(bounds.log, None)
    return total + sum(each.st_blocks * _BLOCK for each in removed.values())


def _below(folder: str) -> Iterator[os.stat_result]:
    """Everything below a folder, no link followed; what is gone meanwhile is passed over."""
    waiting = [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)


def _removed(pids: list[int], device: int) -> dict[int, os.stat_result]:
    """Files without a name that these processes have open, by their number."""
    found: dict[int, os.stat_result] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    each = os.stat(f"/proc/{pid}/fd/{number}")
                    if each.st_nlink == 0 and each.st_dev == device and stat.S_ISREG(each.st_mode):
                        found[each.st_ino] = each
    return found
