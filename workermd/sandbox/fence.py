"""What one attempt may not reach, as a record: the supervisor writes it, `hold` carries it out.

The supervisor imports this module in every run: it stays as cheap as that.
"""

from typing import NamedTuple, Self

from workermd.protocol.envelope import Document

OFF, AUTO, STRICT = "off", "auto", "strict"
MODES = (AUTO, STRICT, OFF)

ANY, HOSTS, LOOPBACK, NONE = "any", "hosts", "loopback", "none"


class Fence(NamedTuple):
    """`journal` is this attempt's and `conversation` its run's; the host gets both opened. So it does `recordings` and `decided`, folders. `results` and `own` are the folders of the ledger's results and of this attempt. `shared` stands in the place of the folder that `own` is in, for a process of many attempts. `hidden` is out of reach,
    `kept` may be read. `readable` and `writable` are for `strict`: there is nothing else, but for the system.
    `listed`: files go by a list, as in `strict`. `network` is `any`, `hosts` (those listed, and the attempt's own
    loopback), `loopback` or `none`. 0 is no bound, and of artifacts -1. `at_end` is what the keeper runs where an attempt leaves no result: it ends what is no child of it."""

    mode: str = OFF
    ledger: str = ""
    journal: str = ""
    conversation: str = ""
    recordings: str = ""
    decided: str = ""
    results: str = ""
    own: str = ""
    shared: str = ""
    hidden: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    listed: bool = False
    network: str = ANY
    hosts: tuple[str, ...] = ()
    max_memory_mb: int = 0
    max_processes: int = 0
    max_artifact_mb: int = -1
    at_end: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Nothing has to be made, or counted, for each attempt but its view of the files."""
        bounded = self.max_memory_mb or self.max_processes or self.max_artifact_mb >= 0
        return self.mode != STRICT and self.network == ANY and not (self.listed or bounded or self.at_end)

    @classmethod
    def of(cls, document: Document) -> Self:
        """From JSON, which knows lists only."""
        fields: Document = {
            name: tuple(value) if isinstance(value, list) else value for name, value in document.items()
        }
        return cls(**fields)


class Proxy(NamedTuple):
    """Who leads to the hosts of the list: its process, the port that it listens to inside, and what ends it when closed."""

    pid: int = 0
    port: int = 0
    control: int = -1
