"""Objects of an S3-compatible store, with conditional writes.

Looked at: s3fs (creates conditionally, but replaces without condition), obstore (both, in a 15 MB binary,
and without the store's own clock) and botocore, which s3fs brings anyway: both conditions, AWS' own
environment and the ``Date`` of each answer, by which a lease is measured without trusting the clocks of two
machines. Endpoint and keys come from fsspec's environment as for deliveries (``FSSPEC_S3_ENDPOINT_URL``),
else from AWS'.
"""

import datetime as dt
import email.utils
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from asco_dagster.connectors.addresses import is_loopback
from asco_dagster.errors import AscoError, ConfigurationError

NEW = "*"
"""In place of an ETag: the object must not exist yet."""

_CHUNK = 1024 * 1024
_ABSENT = ("NoSuchKey", "404", "NotFound")
_CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "409", "412")
_AT_ONCE = 1000  # keys of one deletion


class ChangedError(Exception):
    """A condition failed: the object is not the one that was read."""


@dataclass(frozen=True)
class Found:
    """An object that was read.

    ``age`` is in seconds, by the store's own clock.
    """

    body: bytes
    etag: str
    age: float


@dataclass(frozen=True)
class Listed:
    """An object of a listing.

    ``key`` is relative to the store's folder, ``size`` in bytes; ``etag`` changes with the content.
    """

    key: str
    etag: str
    size: int
    modified: dt.datetime


class Store:
    """The objects below one folder of one bucket.

    Args:
        address: ``s3://bucket/folder``.

    Raises:
        ConfigurationError: the address is not valid, or the connection would not be encrypted.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self.bucket, self.folder = parts_of(address)
        self._client = _client()

    def get(self, key: str) -> Found | None:
        """A small object; None if missing."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=self._full(key))
            body = answer["Body"].read()
        except Exception as fault:
            if _code(fault) in _ABSENT:
                return None
            raise self._error(fault, "read") from None
        return Found(body, answer["ETag"], _age(answer))

    def put(self, key: str, body: bytes, *, replacing: str) -> str:
        """Write an object on a condition.

        ``replacing`` is an ETag or ``NEW``. The body must never be the same twice, so that a lost answer
        differs from a refusal.

        Returns:
            Its ETag.

        Raises:
            ChangedError: the object is another.
        """
        condition = {"IfNoneMatch": "*"} if replacing == NEW else {"IfMatch": replacing}
        try:
            return str(self._put(key, body, **condition))
        except Exception as fault:
            if _code(fault) not in (*_CHANGED, *_ABSENT):
                raise self._error(fault, "written") from None
        found = self.get(key)  # botocore retries when an answer is lost, and then finds its own object
        if found is not None and found.body == body:
            return found.etag
        raise ChangedError(key)

    def add(self, key: str, body: bytes | BinaryIO) -> None:
        """Write an object whose key depends on its content, so that every writer writes the same."""
        try:
            self._put(key, body)
        except Exception as fault:
            raise self._error(fault, "written") from None

    def copy_to(self, key: str, handle: BinaryIO) -> bool:
        """Append an object's bytes to a file; False if the object is missing."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=self._full(key))
            for chunk in answer["Body"].iter_chunks(_CHUNK):
                handle.write(chunk)
        except Exception as fault:
            if _code(fault) in _ABSENT:
                return False
            raise self._error(fault, "read") from None
        return True

    def listed(self, prefix: str) -> Iterator[Listed]:
        """Every object whose key has this prefix."""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._full(prefix)):
                for one in page.get("Contents", []):
                    key = one["Key"].removeprefix(self._full(""))
                    yield Listed(key, one["ETag"], one["Size"], one["LastModified"])
        except Exception as fault:
            raise self._error(fault, "listed") from None

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones count as deleted."""
        names = sorted(keys)
        for start in range(0, len(names), _AT_ONCE):
            batch = [{"Key": self._full(key)} for key in names[start : start + _AT_ONCE]]
            try:
                self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})
            except Exception as fault:
                raise self._error(fault, "deleted") from None

    def _full(self, key: str) -> str:
        return f"{self.folder}/{key}" if self.folder else key

    def _put(self, key: str, body: bytes | BinaryIO, **condition: str) -> str:
        answer = self._client.put_object(Bucket=self.bucket, Key=self._full(key), Body=body, **condition)
        return str(answer["ETag"])

    def _error(self, fault: Exception, what: str) -> Exception:
        """A sentence without a library's words, which may quote an address or a key."""
        import botocore.exceptions as known

        if not isinstance(fault, known.BotoCoreError | known.ClientError):
            return fault
        reason = _code(fault) or type(fault).__name__
        return AscoError(
            f"the store {self.address} (ASCO_STORE) cannot be {what}: {reason}",
            remedy="Check that it answers and what its keys are allowed to do; see asco doctor",
        )


def parts_of(address: str) -> tuple[str, str]:
    """Bucket and folder of an address.

    Raises:
        ConfigurationError: it is not valid.
    """
    parts = urlsplit(address)
    if parts.scheme != "s3" or not parts.hostname or parts.username or parts.query:
        raise ConfigurationError("ASCO_STORE is not valid", expected="s3://bucket/folder")
    return parts.netloc, parts.path.strip("/")


def _client() -> Any:
    from botocore.config import Config
    from fsspec.config import conf

    given = conf.get("s3", {})
    client = _session().create_client(
        "s3",
        endpoint_url=given.get("endpoint_url"),
        aws_access_key_id=given.get("key"),
        aws_secret_access_key=given.get("secret"),
        region_name=_session().get_config_variable("region")
        or "us-east-1",  # the name that stores beside AWS' expect
        config=Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "standard", "max_attempts": 5},
            # not every store supports AWS' newer checksums; downloads are compared with their sha256
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    endpoint = urlsplit(client.meta.endpoint_url)
    if endpoint.scheme != "https" and not is_loopback(endpoint.hostname or ""):
        raise ConfigurationError(
            "the connection to the store would not be encrypted",
            expected="https://",
            remedy="Correct AWS_ENDPOINT_URL_S3 or FSSPEC_S3_ENDPOINT_URL",
        )
    return client


@functools.cache
def _session() -> Any:
    """One for the process: it reads the descriptions of AWS' services, which takes half a second."""
    from botocore.session import get_session

    return get_session()


def _code(fault: Exception) -> str:
    answer: Any = getattr(fault, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def _age(answer: Any) -> float:
    """Seconds between an object's last change and the answer, both by the store's clock."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if date is None:
        raise ConfigurationError(
            "the store's answers have no Date header, by which leases are measured",
            remedy="Use a store, or a proxy in front of it, that sends it",
        )
    now = email.utils.parsedate_to_datetime(date)
    return float((now - answer["LastModified"]).total_seconds())
