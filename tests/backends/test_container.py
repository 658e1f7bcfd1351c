"""The kind `command` with an image: the engine's command line in any case, a container where an engine answers."""

import os

import pytest

from workermd.backends import command
from workermd.config import configuration
from workermd.config.configuration import Flags
from workermd.protocol.errors import ConfigurationError
from workermd.runner import reach_bounds
from workermd.sandbox import container
from workermd.sandbox.container import Container
from workermd.sandbox.policy import Reach, Sandbox
from workermd.task.binding import Binding

IMAGE = "docker.io/library/python@sha256:" + "0" * 64
OWN = Container("/usr/bin/podman", IMAGE, "/state/l.db.artifacts/abc")
REACH = {
    "max_memory_mb": 64, "max_processes": 8, "network": "none", "files": {"cache": "/c", "rules": "/r"}, "written": ["cache"],
}  # fmt: skip


def options(words):
    """The words of an option each, by its name."""
    end = words.index(IMAGE)
    return [tuple(words[at : at + 2]) for at in range(2, end) if words[at].startswith("--")]


def test_the_command_line_bounds_the_container_by_the_engines_own_means():
    words = container.words(OWN, ("python", "/app/task.py"), REACH, ("KEY",), seconds=9.5)
    assert words[:2] == ["/usr/bin/podman", "run"]
    assert words[-3:] == [IMAGE, "python", "/app/task.py"]
    found = options(words)
    for wanted in (
        ("--name", "workermd-abc"), ("--cap-drop", "ALL"), ("--security-opt", "no-new-privileges"), ("--memory", "64m"),
        ("--memory-swap", "64m"), ("--pids-limit", "9"), ("--network", "none"), ("--env", "KEY"), ("--timeout", "11"),
        ("--workdir", "/state/l.db.artifacts/abc"), ("--mount", "type=bind,source=/c,target=/c"),
        ("--mount", "type=bind,source=/r,target=/r,readonly"),
        ("--mount", "type=bind,source=/state/l.db.artifacts/abc,target=/state/l.db.artifacts/abc"),
    ):  # fmt: skip
        assert wanted in found
    assert {"--rm", "--interactive", "--read-only", "--init"} <= set(words)
    assert not [word for word in words if ".sock" in word or "privileged" in word.replace("no-new-privileges", "")]
    assert container.end(OWN) == ["/usr/bin/podman", "rm", "--force", "workermd-abc"]


def test_docker_runs_as_who_we_are_and_unbounded_contracts_are_not_bounded():
    words = container.words(OWN._replace(engine="/usr/bin/docker"), ("x",), {}, (), seconds=9)
    assert ("--user", f"{os.geteuid()}:{os.getegid()}") in options(words)
    assert not {"--memory", "--pids-limit", "--network", "--timeout", "--userns"} & set(words)


def test_a_container_gets_no_way_to_its_engine(monkeypatch):
    for name in ("DOCKER_HOST", "XDG_RUNTIME_DIR", "KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("GONE", raising=False)
    assert container.variables_of(("DOCKER_HOST", "KEY", "XDG_RUNTIME_DIR", "GONE"))[:1] == ("KEY",)
    assert "DOCKER_HOST" not in container.variables_of(("DOCKER_HOST",))


@pytest.mark.parametrize("image", ["python", "python:3", "python@sha256:12", "-v@sha256:" + "0" * 64, 7])
def test_an_image_is_named_by_its_digest(tmp_path, image):
    written = image if isinstance(image, int) else f'"{image}"'
    (tmp_path / "workermd.toml").write_text(f'[workers.w]\nbackend = "command"\ncommand = ["x"]\nimage = {written}\n')
    with pytest.raises(ConfigurationError, match="image is not named by its digest"):
        configuration.load(Flags(config=str(tmp_path / "workermd.toml")))


def test_what_the_engine_holds_its_client_is_not_held_to():
    binding = Binding("command", "the test", command=("x",), arrangement={"image": IMAGE})
    bounds = Reach(max_memory_mb=64, network="none", files=True, max_artifact_mb=3)
    client = reach_bounds.around_client(Sandbox("strict"), bounds, binding)
    assert (client.mode, client.reach) == ("auto", Reach(max_artifact_mb=3))
    assert reach_bounds.contained(binding, bounds)["max_memory_mb"] == "container"
    with pytest.raises(ConfigurationError, match="hosts"):
        reach_bounds.around_client(Sandbox("auto"), Reach(network="hosts", hosts=("a.b:1",)), binding)


@pytest.mark.skipif(not container.why_missing(), reason="an engine answers")
def test_without_an_engine_nothing_is_begun():
    binding = Binding("command", "the test", command=("x",), arrangement={"image": IMAGE})
    assert "engine" in command.unusable(binding)


@pytest.mark.skipif(bool(container.why_missing()), reason=container.why_missing() or "an engine answers")
def test_a_program_in_an_image(cli, contract, given, tmp_path):
    """In the image that WORKERMD_TEST_IMAGE names, which has a shell."""
    image = os.environ.get("WORKERMD_TEST_IMAGE") or pytest.skip("WORKERMD_TEST_IMAGE names no image")
    (tmp_path / "workermd.toml").write_text(
        f"[workers.echo]\nbackend = 'command'\nimage = '{image}'\n"
        "command = ['/bin/sh', '-c', 'cat > /dev/null; touch /x || echo {}']\n"
    )
    done = cli("run", contract(constraints={"network": "none"}), given(), "--config", tmp_path / "workermd.toml")
    assert done.code == 0, done.document
