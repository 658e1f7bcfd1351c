"""Access tokens of an authorization server that the operator names: signed, for this server alone, and not expired.

What the authorization of MCP asks of a protected resource (OAuth 2.1; RFC 8414 metadata, RFC 9068 tokens as JWT). The
signature is checked by PyJWT, which `mcp` brings along. Logging in is the authorization server's matter.
"""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import jwt

from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError
from workermd.system.bounded import at_most

_ALGORITHMS = ("ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA")
"""Signatures with a public key; none by a secret that both sides would know."""

_SECONDS, _MOST_BYTES = 10.0, 1 << 20
_BETWEEN_LOOKS = 60.0
"""Seconds between two looks for new keys: nobody makes us ask by tokens of made-up keys."""

_LEEWAY = 30
_LONGEST_NAME = 200


class IssuedTokens:
    """`named` says whose token it is, as `SUBJECT@HOST` of the issuer: no name of a file of tokens has that form by chance."""

    def __init__(self, issuer: str, audiences: Sequence[str]) -> None:
        """Asks the issuer for its keys. Raises ConfigurationError."""
        self.issuer = _checked(issuer)
        self._audiences = list(audiences)
        self._keys_at = str(_metadata(self.issuer)["jwks_uri"])
        self._keys = _keys(self._keys_at)
        self._looked_at = time.monotonic()
        self._looking = threading.Lock()

    def named(self, token: str) -> str:
        """Empty where the token is nobody's. A key that is not known yet is looked for beside the loop."""
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(str(header.get("kid", "")))
            if key is None:
                self._look_again()
                return ""
            claims = jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=self._audiences,
                issuer=self.issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return ""
        subject = str(claims["sub"])
        return (
            f"{subject}@{urlsplit(self.issuer).netloc}"
            if subject.isprintable() and 0 < len(subject) <= _LONGEST_NAME
            else ""
        )

    def _look_again(self) -> None:
        if time.monotonic() - self._looked_at < _BETWEEN_LOOKS or not self._looking.acquire(blocking=False):
            return
        self._looked_at = time.monotonic()

        def look() -> None:
            try:
                self._keys = _keys(self._keys_at)
            except ConfigurationError:
                pass  # the keys that are known stay
            finally:
                self._looking.release()

        threading.Thread(target=look, daemon=True).start()


def _checked(issuer: str) -> str:
    parts = urlsplit(issuer)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))
    if not safe or not parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"--issuer {issuer[:80]}: no address of an authorization server",
            "write for example https://login.example.org",
        )
    return issuer


def _metadata(issuer: str) -> Document:
    """What the server says of itself, at either of the two places where they do (RFC 8414, OpenID Connect)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    places = (
        f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{path}",
        f"{issuer.rstrip('/')}/.well-known/openid-configuration",
    )
    told = ""
    for place in places:
        try:
            found = _document(place)
        except ConfigurationError as error:
            told = told or error.message
            continue
        if found.get("issuer") != issuer:
            raise ConfigurationError(
                f"--issuer {issuer}: its metadata names the issuer {str(found.get('issuer'))[:80]!r}", "write that one"
            )
        if isinstance(found.get("jwks_uri"), str):
            return found
        told = f"{place}: names no jwks_uri"
    raise ConfigurationError(f"--issuer {issuer}: {told}", "name a server that publishes metadata and keys (RFC 8414)")


def _keys(place: str) -> dict[str, Any]:
    """The public keys for signatures, by their ids."""
    try:
        found = jwt.PyJWKSet.from_dict(_document(place))
    except jwt.PyJWTError:
        raise ConfigurationError(f"{place}: holds no usable key", "look at the authorization server") from None
    return {str(key.key_id): key for key in found.keys if key.public_key_use in (None, "sig")}


def _document(place: str) -> Document:
    if urlsplit(place).scheme not in ("http", "https"):
        raise ConfigurationError(f"{place[:80]}: no address over HTTP", "look at the authorization server")
    request = urllib.request.Request(place, headers={"Accept": "application/json"})  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310 - the same
            found = json.loads(at_most(response, _MOST_BYTES))
    except urllib.error.HTTPError as error:
        raise ConfigurationError(f"{place}: answered {error.code}", "look at the authorization server") from None
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConfigurationError(f"{place}: cannot be read ({reason})", "look at the authorization server") from None
    if not isinstance(found, dict):
        raise ConfigurationError(f"{place}: is no JSON object", "look at the authorization server")
    return found
