"""What is held against the cases: how a runtime is called, what it claims, what its exit codes mean. A TOML file."""

import os
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.system import toml
from workermd.testing.conformance.cases import FOLDER, LEVELS, KitCase

OURS = os.path.join(FOLDER, "workermd.toml")
"""The file that says how workermd itself is called."""

EXITS: dict[str, tuple[int, ...]] = {
    "ok": (0,),
    "findings": (1,),
    "unusable": (2,),
    "invalid_request": (3,),
    "invalid_output": (4,),
    "retryable_error": (5,),
    "needs_human": (6,),
    "other_status": (7,),
    "interrupted": (130,),
}
"""The outcomes that a case can expect, and the exit codes of the format. A runtime's own file may say others."""

_KEYS = {
    "kit",
    "name",
    "claims",
    "commands",
    "options",
    "exits",
    "environment",
    "known_failures",
    "not_offered",
    "same_codes",
}


class Runtime(NamedTuple):
    """`commands` by role and `options` by name are words with places such as `{spec}`; `{options}` is a word of its own.

    `known` are failures that are known, each with its reason; `home` is the folder of the file, `{kit}` in a word. `same_codes`: its findings bear the codes of ours.
    """

    name: str
    claims: tuple[str, ...]
    commands: dict[str, tuple[str, ...]]
    options: dict[str, tuple[str, ...]]
    exits: dict[str, tuple[int, ...]]
    environment: dict[str, str]
    known: dict[str, str]
    not_offered: dict[str, str]
    home: str
    same_codes: bool = False

    def missing(self, case: KitCase) -> str:
        """Why a case is not for this runtime, or nothing."""
        if case.level not in self.claims:
            return f"{case.level} is not claimed"
        if case.id in self.not_offered:
            return self.not_offered[case.id]
        if roles := sorted(case.roles - self.commands.keys()):
            return f"no command {roles[0]}"
        if options := sorted(case.options - self.options.keys()):
            return f"no option {options[0]}"
        return ""

    def words(self, role: str, places: dict[str, str], options: dict[str, Any]) -> list[str]:
        """A command line. An option that is true is its words; any other has its value at `{value}`."""
        given = [
            each.replace("{value}", str(value))
            for name, value in options.items()
            if value is not False
            for each in self.options[name]
        ]
        words: list[str] = []
        for word in self.commands[role]:
            words += given if word == "{options}" else [word]
        return [_filled(word, places | {"kit": self.home, "python": sys.executable}) for word in words]

    def outcome(self, exit_code: int) -> str:
        """What an exit code means here."""
        found = [name for name, codes in self.exits.items() if exit_code in codes]
        return found[0] if found else f"exit code {exit_code}"


def _filled(word: str, places: dict[str, str]) -> str:
    for name, value in places.items():
        word = word.replace(f"{{{name}}}", value)
    return word


def of_command(words: Iterable[str], claims: Iterable[str] = (), base: "Runtime | None" = None) -> Runtime:
    """The runtime that a command line is, with what a file says besides."""
    command = tuple(words)
    if not any("{spec}" in word for word in command):
        raise UsageError("the command has no {spec}", "write {spec} {input} {task} where their paths belong")
    known = base or Runtime(os.path.basename(command[0]), ("core",), {}, {}, EXITS, {}, {}, {}, os.getcwd())
    return claiming(known._replace(commands=known.commands | {"run": command}), claims)


def claiming(runtime: Runtime, claims: Iterable[str]) -> Runtime:
    """The same with other claims, where some are given. Raises UsageError for a level that there is not."""
    wanted = tuple(word.strip() for each in claims for word in each.split(",") if word.strip())
    if strange := [each for each in wanted if each not in LEVELS]:
        raise UsageError(f"--claims: found {strange[0][:40]!r}; allowed: {', '.join(LEVELS)}", "claim what is built")
    return runtime._replace(claims=wanted) if wanted else runtime


def load(path: str) -> Runtime:
    """Raises ConfigurationError."""
    try:
        with open(path, encoding="utf-8") as file:
            found = toml.parsed(file.read())
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror})", "name the runtime's file") from None
    except ValueError as error:
        raise ConfigurationError(f"{path}: no TOML: {error}", "mend the file") from None
    if strange := sorted(found.keys() - _KEYS):
        raise ConfigurationError(f"{path}: unknown key {strange[0]}; allowed: {', '.join(sorted(_KEYS))}", "remove it")
    try:
        return claiming(_runtime(found, path), found.get("claims", ["core"]))
    except (TypeError, AttributeError, ValueError):
        message = f"{path}: commands and options are lists of words, exits lists of numbers, the rest is text"
        raise ConfigurationError(message, "see docs/conformance.md") from None


def _runtime(found: dict[str, Any], path: str) -> Runtime:
    exits = {name: tuple(map(int, codes)) for name, codes in found.get("exits", {}).items()}
    if strange := sorted(exits.keys() - EXITS.keys()):
        message = f"{path}: exits.{strange[0]}: no such outcome; there are {', '.join(EXITS)}"
        raise ConfigurationError(message, "use one of these")
    return Runtime(
        name=str(found.get("name", os.path.basename(path).removesuffix(".toml"))),
        claims=(),
        commands={role: _words(words) for role, words in found.get("commands", {}).items()},
        options={name: _words(words) for name, words in found.get("options", {}).items()},
        exits=EXITS | exits,
        environment={name: str(value) for name, value in found.get("environment", {}).items()},
        known={name: str(reason) for name, reason in found.get("known_failures", {}).items()},
        not_offered={name: str(reason) for name, reason in found.get("not_offered", {}).items()},
        home=os.path.dirname(os.path.abspath(path)),
        same_codes=bool(found.get("same_codes", False)),
    )


def _words(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
        raise TypeError(given)
    return tuple(given)
