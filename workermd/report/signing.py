"""Statements in signed envelopes (DSSE), by securesystemslib: the extra `receipts`."""

import json
from base64 import b64encode
from typing import Any

from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError, UsageError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
_INSTALL = "install it: pip install 'workermd[receipts]'"


def enveloped(statement: Document, key_file: str | None) -> Document:
    """The statement in an envelope, signed where a private key is given. Raises ConfigurationError, UsageError."""
    payload = json.dumps(statement, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if key_file is None:
        return {"payload": b64encode(payload).decode(), "payloadType": PAYLOAD_TYPE, "signatures": []}
    dsse, signer = _library()
    envelope = dsse.Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer.CryptoSigner(_read(key_file, "private")))
    document: Document = envelope.to_dict()
    return document


def opened(document: Document, key_file: str | None) -> tuple[Document, str]:
    """The statement in an envelope, and who signed it; empty where nobody was asked for. Raises UsageError."""
    try:
        if key_file is None:
            from base64 import b64decode

            payload, by = b64decode(document["payload"], validate=True), ""
        else:
            payload, by = _verified(document, key_file)
        statement: Document = json.loads(payload)
        return statement, by
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"the file is no receipt: {type(error).__name__}", "give what runs receipt printed") from None


def _verified(document: Document, key_file: str) -> tuple[bytes, str]:
    from securesystemslib.exceptions import VerificationError

    dsse, signer = _library()
    key = signer.SSlibKey.from_crypto(_read(key_file, "public"))
    envelope = dsse.Envelope.from_dict(document)
    try:
        envelope.verify([key], 1)
    except VerificationError:
        raise UsageError(
            "the receipt is not signed with this key", "ask for the public key of whoever printed it"
        ) from None
    payload: bytes = envelope.payload
    return payload, key.keyid


def _library() -> tuple[Any, Any]:
    try:
        from securesystemslib import dsse, signer
    except ImportError:
        raise ConfigurationError("signed receipts need securesystemslib, which is not installed", _INSTALL) from None
    return dsse, signer


def _read(path: str, kind: str) -> Any:
    """A key in a PEM file."""
    _library()
    from cryptography.hazmat.primitives import serialization

    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
        if kind == "private":
            return serialization.load_pem_private_key(data, None)
        return serialization.load_pem_public_key(data)
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or f"it is no {kind} key without a passphrase, in PEM"
        raise UsageError(f"{path}: cannot be used: {reason}", "make one: openssl genpkey -algorithm ed25519") from None
