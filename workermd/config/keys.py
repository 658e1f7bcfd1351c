"""Keys that stand in files (Docker's and Kubernetes' secrets) or in the system's keyring.

Each becomes a variable of this process, and from there on it is a key like any other: passed to the attempts of the
binding that needs it, masked in everything that is written, sent to its own endpoint alone (S6.3).
"""

import re
from collections.abc import Iterable

from workermd.protocol.errors import ConfigurationError
from workermd.system import environment
from workermd.system.bounded import at_most
from workermd.system.digest import sha256
from workermd.task.binding import Model

FILE, KEYRING = "file", "keyring"

_MOST_BYTES = 1 << 16


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


def _read(source: str) -> str:
    kind, _, place = source.partition(":")
    key = _of_file(place) if kind == FILE else _of_keyring(place)
    if not key or "\0" in key or "\n" in key:
        raise ConfigurationError(f"{place}: holds no key, or more than one line", f"store the key alone in the {kind}")
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
