"""A database and its synchronous standby, each on a machine of its own. Whoever is not on the loopback has to use TLS."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
import trustme

from tests.cluster.namespaces import Network
from tests.postgres_server import binaries

PORT = 5432
STANDBY = "standby"


def programs() -> Path:
    """Where a server's programs are, those included that a link elsewhere leaves out."""
    return Path(binaries(), "initdb").resolve().parent


class Database:
    """One server, on one machine."""

    def __init__(self, network: Network, name: str, folder: Path, user: tuple[int, int]) -> None:
        self.network = network
        self.name = name
        self.user = user
        self.sockets = folder / name
        self.sockets.mkdir(mode=0o755)
        os.chown(self.sockets, *user)
        self.data = self.sockets / "data"
        self.log = open(folder / f"{name}.log", "ab")  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, program: str, *words: str) -> None:
        command = [*self.network.on(self.name, self.user), str(programs() / program), *words]
        subprocess.run(command, check=True, cwd="/", env=_PLAIN, stdout=self.log, stderr=self.log, timeout=120)

    def start(self) -> None:
        command = [str(programs() / "postgres"), "-D", str(self.data), "-p", str(PORT)]
        command += ["-c", f"listen_addresses={self.network.address(self.name)}"]
        command += ["-c", f"unix_socket_directories={self.sockets}"]
        until = time.monotonic() + 60
        while True:
            if self._process is None or self._process.poll() is not None:
                if time.monotonic() > until:
                    raise RuntimeError(f"the database {self.name} does not start")
                self._process = subprocess.Popen(
                    [*self.network.on(self.name, self.user), *command],
                    cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=_PLAIN,
                )  # fmt: skip
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.local("postgres"), connect_timeout=5).close()
                return
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, as `pg_ctl stop -m immediate` does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(60)
            self._process = None

    def kill(self) -> None:
        self.network.kill(self.name)
        if self._process is not None:
            self._process.wait(60)
            self._process = None

    def crash_a_backend(self) -> bool:
        """One session is killed: the server ends all others, and recovers, without a new start of its own."""
        assert self._process is not None
        for pid in self.network.pids(self.name):
            with contextlib.suppress(OSError):
                said = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"10.77.0." in said and b"walsender" not in said:
                    os.kill(pid, signal.SIGKILL)
                    return True
        return False

    def local(self, database: str) -> str:
        """By the socket, which no cut of the network concerns."""
        return f"postgresql://workermd@/{database}?host={self.sockets}&port={PORT}"

    def execute(self, sql: str, database: str = "postgres", values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        with psycopg.connect(self.local(database), autocommit=True, connect_timeout=10) as connection:
            found = connection.execute(sql.encode(), values or None)
            return found.fetchall() if found.description else []


class Pair:
    """`primary` is whoever takes writes now. Without `standby` the machine of the second stays empty."""

    def __init__(self, network: Network, folder: Path, *, standby: bool) -> None:
        entry = pwd.getpwnam("postgres" if _is_there("postgres") else "nobody")
        user = (entry.pw_uid, entry.pw_gid)
        for name in ("db1", "db2"):
            network.add(name)
        self.network = network
        self.authority = folder / "authority.pem"
        self._certify(network, folder, user)
        self.primary = Database(network, "db1", folder, user)
        self.other = Database(network, "db2", folder, user)
        self.standby = standby
        self.starts: list[float] = []
        """When a server was started, or promoted, that takes writes (seconds since 1970)."""
        data = self.primary.data
        self.primary.run("initdb", "-D", str(data), "-U", "workermd", "-A", "trust", "-N", "--no-locale", "-E", "UTF8")
        with open(data / "postgresql.conf", "a") as file:
            file.write(_SETTINGS.format(folder=folder))
            file.write(f"synchronous_standby_names = 'FIRST 1 ({STANDBY})'\n" * standby)
        with open(data / "pg_hba.conf", "a") as file:
            file.write("hostssl all all 10.77.0.0/24 trust\nhostssl replication all 10.77.0.0/24 trust\n")
        self.primary.start()
        if standby:
            self._attach()
            self.wait_for_standby()

    def _certify(self, network: Network, folder: Path, user: tuple[int, int]) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.authority))
        server = authority.issue_cert(network.address("db1"), network.address("db2"))
        server.private_key_pem.write_to_path(str(folder / "server.key"))
        server.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
        os.chmod(folder / "server.key", 0o600)
        os.chown(folder / "server.key", *user)

    def address(self, database: str) -> str:
        """What nodes are told: both servers, of which the one that takes writes is meant."""
        databases = [self.primary, self.other] if self.standby else [self.primary]
        hosts = ",".join(f"{self.network.address(each.name)}:{PORT}" for each in databases)
        several = "&target_session_attrs=read-write" * self.standby
        return f"postgresql://workermd@{hosts}/{database}?sslrootcert={self.authority}{several}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        return self.primary.execute(sql, database)

    def wait_for_standby(self) -> None:
        """Until the standby has all that can be seen on the primary: only then may it take over."""
        until = time.monotonic() + 60
        ((target,),) = self.primary.execute("SELECT pg_current_wal_lsn()::text")
        query = f"SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND flush_lsn >= '{target}'"
        while not self.primary.execute(query):
            if time.monotonic() > until:
                raise RuntimeError("the standby does not follow")
            time.sleep(0.05)

    def restart(self, away_seconds: float) -> None:
        """An immediate stop, and a start."""
        self.primary.stop()
        time.sleep(away_seconds)
        self.starts.append(time.time())
        self.primary.start()
        if self.standby:
            self.wait_for_standby()

    def fail_over(self, *, hanging_seconds: float, isolated: bool) -> None:
        """The standby takes over; the old primary's machine is lost, or cut off and ended before anybody reaches it again.

        With `hanging_seconds` the standby is out of reach before: commits hang, and what becomes of them nobody is told.
        """
        old, new = self.primary, self.other
        if hanging_seconds:
            self.network.cut(new.name, silently=True)
            time.sleep(hanging_seconds)
        if isolated:
            self.network.cut(old.name, silently=True)
        else:
            old.kill()
        self.network.mend(new.name)
        self.primary, self.other = new, old
        self.starts.append(time.time())
        new.execute("SELECT pg_promote()")
        old.kill()
        self.network.mend(old.name)
        self._attach()
        self.wait_for_standby()

    def cut_standby(self, seconds: float) -> None:
        """Commits hang meanwhile."""
        self.network.cut(self.other.name, silently=True)
        try:
            time.sleep(seconds)
        finally:
            self.network.mend(self.other.name)
        self.wait_for_standby()

    def _attach(self) -> None:
        """The other server becomes a standby of the primary, from nothing."""
        shutil.rmtree(self.other.data, ignore_errors=True)
        source = f"host={self.network.address(self.primary.name)} port={PORT} user=workermd sslmode=require"
        self.other.run(
            "pg_basebackup", "-D", str(self.other.data), "-R", "-X", "stream", "-c", "fast",
            "-d", f"{source} application_name={STANDBY}",
        )  # fmt: skip
        self.other.start()

    def close(self) -> None:
        for each in (self.primary, self.other):
            each.kill()
            each.log.close()


def _is_there(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


_PLAIN = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
_SETTINGS = """
max_connections = 200
ssl = on
ssl_cert_file = '{folder}/server.pem'
ssl_key_file = '{folder}/server.key'
wal_keep_size = 256MB
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 200ms
shared_buffers = 32MB
"""
