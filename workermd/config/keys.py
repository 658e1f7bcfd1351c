"""Keys that stand in files (Docker's and Kubernetes' secrets), in the system's keyring, or that a program prints.

Each becomes a variable of this process, and from there on it is a key like any other: passed to the attempts of the
binding that needs it, masked in everything that is written, sent to its own endpoint alone (S6.3).
"""

import json
import re
import time
from collections.abc import Iterable

from workermd.protocol.errors import ConfigurationError
from workermd.system import environment
from workermd.system.bounded import at_most
from workermd.system.digest import sha256
from workermd.task.binding import Model

FILE, KEYRING, COMMAND = "file", "keyring", "command"

_MOST_BYTES = 1 << 16
_PATIENCE = 60.0
_HELD_SECONDS = 60.0
"""So long a program is not asked for the same key again: a command line binds several workers one after the other."""

_held: dict[str, tuple[float, str]] = {}


def variable_for(source: str) -> str:
    """The variable that a source's key is put into, such as WORKERMD_KEY_FILE_RUN_SECRETS_MODEL_6F1D2A."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", source).strip("_").upper()
    return f"WORKERMD_KEY_{words[:60]}_{sha256(source.encode()).hex()[:6].upper()}"


def provide(models: Iterable[Model]) -> None:
    """Put the keys of these models into their variables. One that cannot be had is missed where it is needed: a
    replay needs none."""
    for model in models:
        if model.key_from:
            try:
                environment.provide(model.api_key_env, _read(model.key_from))
            except ConfigurationError:
                environment.provide(model.api_key_env, None)


def why_missing(model: Model) -> str:
    """Why a model's key cannot be had from its file or keyring; empty when it can, and for other models."""
    if model.key_from:
        try:
            _read(model.key_from)
        except ConfigurationError as error:
            return f"{error.message}; {error.hint}"
    return ""


def shown(source: str) -> str:
    """A source as it is told; a program without its arguments, which may be long."""
    kind, _, place = source.partition(":")
    return f"{kind}:{json.loads(place)[0]}" if kind == COMMAND else source


def of_command(words: Iterable[str], folder: str) -> str:
    """The source of a key that a program prints."""
    return f"{COMMAND}:{json.dumps([*words, folder])}"


def _read(source: str) -> str:
    kind, _, place = source.partition(":")
    key = {FILE: _of_file, KEYRING: _of_keyring, COMMAND: _of_command}[kind](place)
    if not key or "\0" in key or "\n" in key:
        raise ConfigurationError(
            f"{shown(source).partition(':')[2]}: holds no key, or more than one line",
            "the key has to stand there alone, on one line",
        )
    return key


def _of_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return at_most(file, _MOST_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(f"{path}: the key cannot be read ({reason})", "mend api_key_file") from None


def _of_keyring(place: str) -> str:
    service, _, user = place.rpartition("/")
    try:
        import keyring
    except ModuleNotFoundError:
        raise ConfigurationError(
            "api_key_keyring needs the module 'keyring', which is not installed", "pip install 'workermd[keyring]'"
        ) from None
    try:
        found = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise ConfigurationError(
            f"the keyring cannot be asked ({type(error).__name__})", "unlock it, or use api_key_env or api_key_file"
        ) from None
    if found is None:
        raise ConfigurationError(
            f"the keyring has no key for {service} and {user}", f"store it: keyring set {service} {user}"
        )
    return found.strip()


def _of_command(place: str) -> str:
    """What the program prints, run without a shell in the configuration's folder. What it says else is not kept."""
    held = _held.get(place)
    if held and time.monotonic() - held[0] < _HELD_SECONDS:
        return held[1]
    import subprocess  # most runs take their key from a variable

    *words, folder = json.loads(place)
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            cwd=folder or None,
            env=dict(environment.variables()),
            check=True,
        )
        key = done.stdout[:_MOST_BYTES].decode().strip()
    except subprocess.CalledProcessError as error:
        reason = f"it ended with {error.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"it took longer than {_PATIENCE:.0f} s"
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it printed no text"
    else:
        _held[place] = (time.monotonic(), key)
        return key
    raise ConfigurationError(
        f"{words[0]}: the key cannot be had ({reason})", "run the words of api_key_command yourself to see why"
    ) from None
