"""What the attempts of a worker reach of the machine: the contract's bounds, the operator's, and what was granted (S3.12)."""

import os
from typing import Any

from workermd.contract.model import Constraints
from workermd.protocol import reach
from workermd.protocol.errors import ConfigurationError
from workermd.sandbox.fence import ANY, AUTO, HOSTS, OFF, STRICT
from workermd.sandbox.policy import Reach, Sandbox
from workermd.task.binding import Binding

_PORTS = {"http": 80, "https": 443}


def reach_of(constraints: Constraints, binding: Binding, mode: str) -> Reach:
    """What an attempt reaches: the contract's bounds, tightened by the operator's (S3.12). Raises ConfigurationError."""
    own = binding.reach
    stated = [
        name for name in reach.NAMES if getattr(constraints, name) is not None or (name in own and name != "files")
    ]
    if not stated:
        return Reach(granted=own.get("files", {}))
    if mode == OFF:
        raise ConfigurationError(
            f"--sandbox off cannot hold {', '.join(stated)}", "leave --sandbox out, or choose auto or strict"
        )
    counts = {name: _least(getattr(constraints, name), own.get(name)) for name in reach.COUNTS}
    wanted = own.get("network")
    network = reach.narrower(constraints.network, tuple(wanted) if isinstance(wanted, list) else wanted)
    return Reach(
        max_memory_mb=counts["max_memory_mb"] or 0,
        max_processes=counts["max_processes"] or 0,
        max_artifact_mb=counts["max_artifact_mb"],
        **_network(network, binding),
        **_files(constraints.files, binding),
    )


def around_client(wanted: Sandbox, bounds: Reach, binding: Binding) -> Sandbox:
    """What the attempt's processes are held to. With an image the engine holds the bounds, and they are its client, which
    talks to it by a pathname socket and needs files of its own. Raises ConfigurationError."""
    if "image" not in binding.arrangement:
        return wanted._replace(reach=bounds)
    if bounds.network == HOSTS:
        raise ConfigurationError(
            "a container cannot be held to the hosts that network lists",
            "run the program without an image, or write network: none in the contract",
        )
    own = Reach(max_artifact_mb=bounds.max_artifact_mb)
    return wanted._replace(mode=AUTO if wanted.mode == STRICT else wanted.mode, reach=own)


def contained(binding: Binding, bounds: Reach) -> dict[str, str]:
    """What a container holds, by the names of `held`; nothing without an image."""
    if "image" not in binding.arrangement:
        return {}
    held = [name for name in ("max_memory_mb", "max_processes") if getattr(bounds, name)]
    held += ["network"] if bounds.network != ANY else []
    return dict.fromkeys(("processes", "reading", "writing", *held), "container")


def _least(first: int | None, second: int | None) -> int | None:
    given = [each for each in (first, second) if each is not None]
    return min(given) if given else None


def _network(network: reach.Network | None, binding: Binding) -> dict[str, Any]:
    """The hosts of the list, and what the operator has bound by address: that is reached whatever the contract says."""
    if network is None:
        return {}
    bound = _addresses(binding)
    hosts = () if isinstance(network, str) else network
    how = network if isinstance(network, str) and not bound else HOSTS
    return {"network": how, "hosts": tuple(dict.fromkeys((*hosts, *bound)))}


def _addresses(binding: Binding) -> tuple[str, ...]:
    """Host and port of every model, server and service of a binding."""
    from urllib.parse import urlsplit  # few contracts bound the network

    urls = [model.base_url for model in binding.all_models if not binding.replay]
    urls += [server.url for server in binding.servers.values() if server.url]
    urls += [each for each in (binding.arrangement.get("address"),) if isinstance(each, str) and each]
    return tuple(dict.fromkeys(f"{part.hostname}:{part.port or _PORTS[part.scheme]}" for part in map(urlsplit, urls)))


def _files(files: reach.Files | None, binding: Binding) -> dict[str, Any]:
    if files is None:
        return {"granted": binding.reach.get("files", {})}
    needs, granted = reach.needs(files), binding.reach.get("files", {})
    for need in needs:
        path = granted.get(need.name)
        if path is None:
            raise ConfigurationError(
                f"the contract's files needs {need.name!r}, which {binding.origin} does not grant",
                f'grant it in workermd.toml: [workers.ID.files] {need.name} = "/path"',
            )
        if not os.path.exists(path):
            raise ConfigurationError(
                f"{path}: granted as {need.name!r}, and not there", "make it, or grant another path"
            )
    return {
        "files": True,
        "granted": {need.name: granted[need.name] for need in needs},
        "written": frozenset(need.name for need in needs if need.writes),
    }


def told(bounds: Reach) -> dict[str, Any]:
    """What the task is told of its reach: the bounds that it has, by their names in a contract (S8.1)."""
    said: dict[str, Any] = {name: value for name in reach.COUNTS if (value := getattr(bounds, name))}
    if bounds.max_artifact_mb == 0:
        said["max_artifact_mb"] = 0
    if bounds.network != ANY:
        said["network"] = list(bounds.hosts) if bounds.network == HOSTS else bounds.network
    if bounds.granted:
        said["files"] = bounds.granted
        said["written"] = sorted(bounds.written)
    return said
