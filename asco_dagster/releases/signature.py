"""The signature of a manifest, and with it of the whole release, whose checksums are in the manifest.

Ed25519 of the ``cryptography`` package, which is installed anyway; ``pynacl`` would be one library more. What
is signed is the manifest without its ``signature``, as JSON with sorted keys, without white space, in UTF-8.
The key belongs to the home.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.keys import create_key, read_key
from asco_dagster.storage.places import Places

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "Ed25519"
_LARGEST_KEY = 10_000  # bytes of a public key's file

Sign = Callable[[Mapping[str, Any]], dict[str, str]]
"""Gives the ``signature`` of a manifest."""


def signer(settings: Settings, places: Places) -> Sign | None:
    """What signs the manifests of a home: its key, made on first use.

    With a shared store each machine would make another key: releases are signed there only if the same
    ``keys/signing.key`` was put into each home.

    Raises:
        ConfigurationError: the key is no Ed25519 key, or others may read or replace it.
    """
    path = _path(places)
    if settings.store is not None and not path.exists():
        return None
    key = _private_key(places)
    known = _fingerprint(key.public_key())

    def sign(manifest: Mapping[str, Any]) -> dict[str, str]:
        value = base64.b64encode(key.sign(signed_bytes(manifest))).decode()
        return {"algorithm": ALGORITHM, "key": known, "value": value}

    return sign


def public_key(places: Places) -> str:
    """The public key of a home as PEM, which those who verify its releases must have from a safe place."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = _private_key(places).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_key(path: Path) -> "Ed25519PublicKey":
    """The public key of a PEM file.

    Raises:
        ConfigurationError: the file is not there or holds no Ed25519 public key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    key: object = None
    try:
        if path.is_file() and path.stat().st_size <= _LARGEST_KEY:
            key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigurationError(
            f"{path} holds no public key",
            expected="an Ed25519 public key as PEM",
            remedy="“asco release key” prints that of the home that published; have it from a safe place",
        )
    return key


def signature_fault(manifest: Mapping[str, Any], key: "Ed25519PublicKey") -> str | None:
    """Why the signature of a manifest does not hold under a public key, as a sentence; None when it does."""
    from cryptography.exceptions import InvalidSignature

    signature = manifest.get("signature")
    if signature is None:
        return "the manifest is not signed."
    try:
        value = base64.b64decode(signature["value"], validate=True)
        if signature["algorithm"] != ALGORITHM:
            return f"the manifest is not signed with {ALGORITHM}."
        key.verify(value, signed_bytes(manifest))
    except (TypeError, KeyError, binascii.Error, ValueError):
        return "the signature of the manifest cannot be read."
    except InvalidSignature:
        if signature.get("key") != _fingerprint(key):
            return f"the manifest was signed with another key ({str(signature.get('key'))[:16]})."
        return "the manifest was altered: its signature does not hold."
    return None


def signed_bytes(manifest: Mapping[str, Any]) -> bytes:
    """What of a manifest is signed."""
    content = {name: value for name, value in manifest.items() if name != "signature"}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _private_key(places: Places) -> "Ed25519PrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    path = _path(places)
    if not path.exists() and not path.is_symlink():
        made = Ed25519PrivateKey.generate()
        create_key(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    content = read_key(path)
    try:
        key: object = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(
            f"{path} holds no key that signs releases",
            expected="an Ed25519 private key as PEM, not encrypted",
            remedy="Restore it from its copy; a new one is made when the file is gone, and readers need its "
            "public key then",
        )
    return key


def _path(places: Places) -> Path:
    return places.keys / "signing.key"


def _fingerprint(key: "Ed25519PublicKey") -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
