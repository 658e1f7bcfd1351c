"""Bounds of what an attempt reaches: memory, processes, artifacts, network and files (S3.12, S10.6 to S10.9)."""

import http.server
import json
import os
import threading
from pathlib import Path

import pytest

from tests.conftest import contract_text
from tests.sandbox.hogs import HOGS
from workermd.contract.reader import read
from workermd.protocol.errors import ConfigurationError
from workermd.runner import reach_bounds
from workermd.sandbox import group, kernel, probe, proxy, watch
from workermd.sandbox.fence import HOSTS, Fence
from workermd.sandbox.hold import Held
from workermd.sandbox.policy import Reach
from workermd.task.binding import Binding, Model

TELL = """
import socket
said = {}
def tried(name, deed):
    try: said[name] = deed()
    except Exception as error: said[name] = type(error).__name__
"""


def needs(*names):
    """Skips, with the reason, where this machine lacks a means."""
    lacking = [f"{each.name}: {each.problem}" for each in probe.means() if each.name in names and each.problem]
    return pytest.mark.skipif(bool(lacking), reason="; ".join(lacking) or "everything is there")


@pytest.fixture
def service():
    """A web server on loopback, and what it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Host"]))
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", f"http://localhost:{server.server_port}/inside")
            else:
                self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"hi")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.asked = asked
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.rule("S3.12", "S10.6", "S10.7")
@pytest.mark.parametrize("hog", HOGS)
def test_a_hog_is_ended_for_good(cli, contract, given, program, hog):
    """Within seconds, after one of two attempts, with nothing left of what it wrote."""
    name, (most, body) = hog.split()[0], HOGS[hog]
    spec = contract(constraints={name: most, "max_attempts": 2, "timeout_seconds": 60})
    done = cli("run", spec, given(), "--envelope", *program(f"{body}\nreply({{'result': {{}}}})"))
    said = done.document["error"]
    if not (
        hog == "max_memory_mb" and said["code"] == "backend_failed"
    ):  # the kernel may refuse it before it is counted
        assert (done.code, said["code"]) == (4, "budget_exceeded"), done.document
        assert f"{name} ({most})" in said["message"]
    assert len(done.document["attempts"]) == 1
    assert done.document["attempts"][0]["sandbox"]["held"][name]
    left = [file for folder in cli.ledger.parent.glob("*.artifacts/*/") for file in folder.iterdir()]
    assert left == []


@pytest.mark.rule("S3.12")
def test_what_stays_below_its_bounds_is_not_disturbed(cli, contract, given, program):
    spec = contract(constraints={"max_memory_mb": 256, "max_processes": 4, "max_artifact_mb": 2})
    body = (
        "import subprocess\nsubprocess.run(['sleep', '0.1'])\nopen(task['artifacts_dir'] + '/a', 'wb').write(bytes(1 << 20))\n"
        "reply({'result': {'reach': task['reach']}})"
    )
    done = cli("run", spec, given(), *program(body))
    told = {"max_memory_mb": 256, "max_processes": 4, "max_artifact_mb": 2}
    assert (done.code, done.document["result"]) == (0, {"reach": told})


@needs("net namespace")
@pytest.mark.rule("S10.8")
@pytest.mark.parametrize("network", ["none", "loopback", "hosts"])
def test_a_network_is_what_the_contract_says(cli, contract, given, program, service, network):
    """By a listed address through the proxy; not by another name of it, not directly, not by a redirect, not by UDP."""
    port = service.server_port
    listed = f"[127.0.0.1:{port}, {'a' * 60}.invalid:443]" if network == "hosts" else network
    body = (
        TELL
        + f"""
import urllib.request
get = lambda url: urllib.request.urlopen(url, timeout=5).status
tried("listed", lambda: get("http://127.0.0.1:{port}/"))
tried("another name", lambda: get("http://localhost:{port}/"))
tried("redirect", lambda: get("http://127.0.0.1:{port}/away"))
tried("name of nobody", lambda: get("http://secret.example.invalid:80/"))
tried("direct", lambda: socket.create_connection(("127.0.0.1", {port}), 2) and 1)
tried("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)))
tried("unix", lambda: socket.socket(socket.AF_UNIX) and 1)
tried("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).sendto(b"x", ("192.0.2.1", 0)))
tried("vsock", lambda: socket.socket(40, socket.SOCK_STREAM) and 1)
mine = lambda s: (s.bind(("127.0.0.1", 0)), s.listen(), socket.create_connection(s.getsockname(), 1) and 1)[2]
tried("own", lambda: mine(socket.socket()))
reply({{"result": said}})
"""
    )
    done = cli("run", contract(constraints={"network": listed}), given(), *program(body))
    said = done.document["result"]
    assert {name for name, came in said.items() if came in (1, 200)} == {
        "none": set(), "loopback": {"own"}, "hosts": {"own", "listed"},
    }[network], said  # fmt: skip
    assert [path for path, _ in service.asked] == (["/", "/away"] if network == "hosts" else [])


@needs("mount namespace", "landlock")
@pytest.mark.rule("S10.9")
def test_files_are_those_that_the_operator_grants(cli, contract, given, program, tmp_path):
    """In `auto` too: granted ones only, and no link leads out of them."""
    secret, granted = tmp_path / "elsewhere" / "secret", tmp_path / "granted"
    for folder in (secret.parent, granted / "rules", granted / "cache"):
        folder.mkdir(parents=True)
    secret.write_text("SECRET")
    (granted / "rules" / "one").write_text("rule")
    (granted / "rules" / "out").symlink_to(secret)
    work = tmp_path / "work"
    work.mkdir()
    body = (
        TELL
        + f"""
files = task["reach"]["files"]
tried("rule", lambda: open(files["rulebook"] + "/one").read())
tried("write rule", lambda: open(files["rulebook"] + "/new", "w").write("x"))
tried("link of theirs", lambda: open(files["rulebook"] + "/out").read())
tried("write", lambda: open(files["cache"] + "/new", "w").write("x"))
tried("own link", lambda: (os.symlink({str(secret)!r}, files["cache"] + "/l"), open(files["cache"] + "/l").read()))
tried("hard link", lambda: os.link({str(secret)!r}, files["cache"] + "/h"))
tried("moved in", lambda: os.rename({str(secret)!r}, files["cache"] + "/m"))
tried("up", lambda: open(files["cache"] + "/../../elsewhere/secret").read())
tried("secret", lambda: open({str(secret)!r}).read())
reply({{"result": said}})
"""
    )
    (work / "workermd.toml").write_text(
        f"[workers.echo]\ncommand = {json.dumps(['python3', *program(body)[-1:]])}\n"
        '[workers.echo.files]\nrulebook = "../granted/rules"\ncache = "../granted/cache"\n'
    )
    command = program(body)
    (work / "task.py").write_text((tmp_path / "task.py").read_text())
    words = [*command[command.index("--") + 1 : -1], str(work / "task.py")]
    (work / "workermd.toml").write_text(
        f"[workers.echo]\ncommand = {json.dumps(words)}\n"
        '[workers.echo.files]\nrulebook = "../granted/rules"\ncache = "../granted/cache"\n'
    )
    spec = contract(constraints={"files": "[read(rulebook), write(cache)]"})
    done = cli("run", spec, given(), "--config", work / "workermd.toml", cwd=work)
    said = done.document["result"]
    assert {name for name, came in said.items() if came in ("rule", 1, "SECRET")} == {"rule", "write"}, said


@pytest.mark.rule("S3.12", "S10.9")
def test_what_cannot_be_held_is_refused_by_name(cli, contract, given, program):
    """Before a process starts; nobody can vouch for it."""
    call = program("evidence('ran')")
    for constraint, value in (("max_memory_mb", 9), ("network", "none"), ("files", "none")):
        done = cli("run", contract(constraints={constraint: value}), given(), "--sandbox", "off", *call)
        assert (done.code, constraint in done.document["error"]["message"]) == (2, True)
    done = cli("run", contract(constraints={"files": "[read(rulebook)]"}), given(), *call)
    assert (done.code, "'rulebook'" in done.document["error"]["message"]) == (2, True)
    assert cli("run", contract(constraints={"network": "none"}), given(), "--vouch", "network", *call).code == 2


@pytest.mark.parametrize("name", ["network", "max_memory_mb", "writing"])
@pytest.mark.rule("S3.12")
def test_a_machine_that_does_not_hold_a_bound_is_refused(name):
    fence = Fence("auto", listed=True, network="none", max_memory_mb=9)
    held = Held(**dict.fromkeys(Held._fields, "held"))
    assert held.missing(fence) == []
    assert held._replace(**{name: ""}).missing(fence) == [name]
    assert held._replace(max_processes="", max_artifact_mb="", processes="").missing(fence) == []


# --- what holds for a worker ------------------------------------------------------------------------------------------


def bounds(binding=None, mode="auto", **constraints):
    reading = read(contract_text(constraints=constraints).encode(), "echo.worker.md")
    assert reading.contract is not None, reading.findings
    return reach_bounds.reach_of(reading.contract.constraints, binding or operator(), mode)


def operator(**reach):
    return Binding("command", "the test", command=("x",), reach=reach)


@pytest.mark.rule("S3.12", "S3.7")
def test_an_operator_tightens_and_never_loosens():
    assert bounds(operator(max_memory_mb=100), max_memory_mb=50).max_memory_mb == 50
    assert bounds(operator(max_memory_mb=20), max_memory_mb=50).max_memory_mb == 20
    assert bounds(operator(max_artifact_mb=3)).max_artifact_mb == 3
    assert bounds(operator(network="none"), network="[a.b:1]").network == "none"
    assert bounds(operator(network=["a.b:1", "c.d:2"]), network="none").network == "none"
    assert bounds(operator(network=["a.b:1"]), network="[a.b:1, c.d:2]").hosts == ("a.b:1",)
    assert bounds(operator(network=["e.f:1"]), network="[a.b:1, c.d:2]").network == "loopback"
    assert bounds() == Reach()


@pytest.mark.rule("S10.8")
def test_what_the_operator_bound_by_address_is_reached():
    model = Model("m", "http://localhost:8000/v1")
    bound = bounds(Binding("chat", "the test", model=model), network="none")
    assert (bound.network, bound.hosts) == (HOSTS, ("localhost:8000",))
    assert bounds(Binding("chat", "the test", model=Model("m")), network="[a.b:1]").hosts == (
        "a.b:1",
        "api.openai.com:443",
    )


@pytest.mark.rule("S10.9")
def test_a_granted_path_is_there(tmp_path):
    needed = {"files": "[read(rulebook)]"}
    with pytest.raises(ConfigurationError, match="not there"):
        bounds(operator(files={"rulebook": str(tmp_path / "gone")}), **needed)
    found = bounds(operator(files={"rulebook": str(tmp_path), "other": "/"}), **needed)
    assert (found.files, found.granted, found.written) == (True, {"rulebook": str(tmp_path)}, frozenset())


# --- the proxy --------------------------------------------------------------------------------------------------------

LISTED = frozenset({"api.example.com:443", "plain.example:80"})


@pytest.mark.rule("S10.8")
def test_a_request_leads_to_a_listed_name_and_port():
    assert proxy.asked_for(b"CONNECT API.example.com:443 HTTP/1.1\r\n\r\n", LISTED) == ("api.example.com", 443, None)
    head = b"GET http://u:p@plain.example/a?b=c HTTP/1.1\r\nHost: other\r\nProxy-Authorization: x\r\nX-Own: 1\r\n\r\n"
    sent = b"GET /a?b=c HTTP/1.1\r\nHost: plain.example\r\nX-Own: 1\r\nConnection: close\r\n\r\n"
    assert proxy.asked_for(head, LISTED) == ("plain.example", 80, sent)


@pytest.mark.rule("S10.8")
@pytest.mark.parametrize(
    "line",
    [
        "CONNECT api.example.com:80 HTTP/1.1", "CONNECT api.example.com HTTP/1.1", "CONNECT secret.api.example.com:443 HTTP/1.1",
        "CONNECT api.example.com.:443 HTTP/1.1", "CONNECT api.example.com:443@evil.example:443 HTTP/1.1",
        "CONNECT evil.example:443 HTTP/1.1", "GET http://api.example.com/ HTTP/1.1", "GET /plain.example HTTP/1.1",
        "GET https://api.example.com:443/ HTTP/1.1", "GET http://plain.example@evil.example/ HTTP/1.1",
        "GET http://evil.example/http://plain.example HTTP/1.1", "CONNECT [::1]:443 HTTP/1.1", "PRI * HTTP/2.0",
        "CONNECT api.example.com:443", "GET http://plain.example:x/ HTTP/1.1",
    ],
)  # fmt: skip
def test_no_other_request_leads_anywhere(line):
    with pytest.raises(proxy.NotServed):
        proxy.asked_for(f"{line}\r\nHost: api.example.com\r\n\r\n".encode(), LISTED)


@pytest.mark.rule("S10.8")
@pytest.mark.parametrize(
    ("host", "address", "may"),
    [
        ("a.example", "93.184.216.34", True), ("a.example", "10.1.2.3", True), ("a.example", "127.0.0.1", False),
        ("a.example", "169.254.169.254", False), ("a.example", "::1", False), ("a.example", "fe80::1%eth0", False),
        ("a.example", "::ffff:127.0.0.1", False), ("a.example", "0.0.0.0", False), ("localhost", "127.0.0.1", True),
        ("169.254.169.254", "169.254.169.254", True),
    ],
)  # fmt: skip
def test_a_name_does_not_lead_to_this_machine(host, address, may):
    assert proxy.may_lead(host, address) is may


# --- counting ---------------------------------------------------------------------------------------------------------


def test_a_group_is_made_below_the_nearest_that_hands_its_controllers_on(tmp_path):
    """In a folder that looks like the kernel's: whether the kernel counts, only a machine with such a group shows."""
    for folder, controllers in (("", ""), ("user", "cpu memory pids"), ("user/app", "")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "cgroup.subtree_control").write_text(controllers)
    listed = tmp_path / "listed"
    listed.write_text("1:cpu:/other\n0::/user/app\n")
    made = group.make("workermd-1", str(tmp_path), str(listed))
    assert made == str(tmp_path / "user" / "workermd-1")
    for name in ("memory.max", "memory.oom.group", "pids.max", "cgroup.procs"):
        Path(made, name).touch()
    group.bound(made, memory=1 << 20, processes=7)
    group.enter(made)
    found = {each.name: each.read_text() for each in Path(made).iterdir()}
    assert found == {"memory.max": "1048576", "memory.oom.group": "1", "pids.max": "7", "cgroup.procs": "0"}
    assert not group.was_out_of_memory(made)
    Path(made, "memory.events").write_text("oom 1\noom_kill 2\n")
    assert group.was_out_of_memory(made)
    (tmp_path / "user" / "cgroup.subtree_control").write_text("cpu")
    with pytest.raises(OSError, match="hands memory and pids on"):
        group.make("workermd-2", str(tmp_path), str(listed))


def test_a_log_without_a_name_is_no_artifact(tmp_path):
    with open(tmp_path / "log", "wb", 0) as log:
        os.unlink(log.name)
        log.write(bytes(1 << 16))
        number = os.fstat(log.fileno()).st_ino
        seen = watch.written(watch.Ceilings(artifacts=0, folder=str(tmp_path)), [os.getpid()])
        without = watch.written(watch.Ceilings(artifacts=0, folder=str(tmp_path), log=number), [os.getpid()])
    assert seen - without == 1 << 16


@needs("seccomp")
def test_memory_that_nobody_counts_cannot_be_had():
    """Where no group counts: a file in memory that is not mapped belongs to no process."""
    from workermd.sandbox import seccomp

    pid = os.fork()
    if pid == 0:
        try:
            kernel.no_new_privileges()
            seccomp.restrict_memory()
            os.memfd_create("hidden")
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


@needs("net namespace")
@pytest.mark.rule("S10.8")
def test_a_service_that_the_operator_bound_is_reached(cli, contract, given, service, tmp_path):
    """Though the contract reaches nothing."""
    text = contract_text(constraints={"network": "none"}).replace("name: ", 'x-call: ["http", "GET /pets"]\nname: ', 1)
    (tmp_path / "echo.worker.md").write_text(text)
    address = f"http://127.0.0.1:{service.server_port}"
    done = cli("run", tmp_path / "echo.worker.md", given(), "--backend", "http", "--base-url", address, "--envelope")
    assert (done.code, [path for path, _ in service.asked]) == (0, ["/pets"]), done.document
    held = done.document["attempts"][0]["sandbox"]["held"]
    assert held["network"] == "network namespace, proxy"
