"""Rules about what an attempt reaches: bounds that bound nothing or everything, hosts that no contract should name (S3.12)."""

import ipaddress
from collections.abc import Iterator

from workermd.lint.subject import Fault, Subject

USEFUL = {"max_memory_mb": (64, 1 << 20), "max_processes": (1, 32768), "max_artifact_mb": (0, 1 << 20)}
"""Least and most that bound something: an interpreter needs the first of memory; a kernel counts processes to 32768 by
default; 1 TiB is more than any of the rest."""

FEW_HOSTS = 20


def bounds_without_use(subject: Subject) -> Iterator[Fault]:
    """WM627"""
    for name, (least, most) in USEFUL.items():
        given = getattr(subject.contract.constraints, name)
        if given is None or least <= given <= most:
            continue
        why = (
            "less than an interpreter needs" if given < least else "more than a machine has, so that nothing is bounded"
        )
        message, hint = f"{name} is {given}, {why}", f"Write a number from {least} to {most}, or leave it out."
        yield Fault(subject.where(f"/constraints/{name}"), message, hint)


def hosts_too_wide(subject: Subject) -> Iterator[Fault]:
    """WM628"""
    hosts = subject.contract.constraints.network
    if hosts is None or isinstance(hosts, str):
        return
    place = subject.where("/constraints/network")
    if len(hosts) > FEW_HOSTS:
        yield Fault(place, f"network lists {len(hosts)} hosts", f"List at most {FEW_HOSTS}: each is a way out.")
    for host in hosts:
        if what := _odd(host.rpartition(":")[0]):
            yield Fault(
                place, f"network lists {host}, {what}", "Name a host; what is local is for the operator to bind."
            )


def _odd(name: str) -> str:
    if name == "localhost" or name.endswith(".localhost"):
        return "the machine itself"
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return ""
    if address.is_loopback or address.is_unspecified:
        return "the machine itself"
    return "an address of the link" if address.is_link_local else "an address, whose owner may change"
