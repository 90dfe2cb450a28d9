"""Objects of an S3-compatible store, with conditional writes: the only module that speaks to it.

Looked at: s3fs (creates conditionally, but replaces without condition), obstore (both, in a 15 MB binary,
and without the store's own clock) and botocore, which s3fs brings anyway: both conditions, AWS' own
environment and the ``Date`` of each answer, by which a lease is judged without trusting the clocks of two
machines. Endpoint and keys come from fsspec's environment as for deliveries (``FSSPEC_S3_ENDPOINT_URL``),
else from AWS'. What does not belong here: what the objects mean.
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
"""In place of an ETag: the object must not be there yet."""

FORM = "s3://bucket/folder"
_CHUNK = 1024 * 1024
_ABSENT = ("NoSuchKey", "404", "NotFound")
_CHANGED = ("PreconditionFailed", "ConditionalRequestConflict", "409", "412")
_AT_ONCE = 1000  # keys of one deletion


class ChangedError(Exception):
    """A condition did not hold: the object is not the one that was read."""


@dataclass(frozen=True)
class Found:
    """An object that was read.

    Attributes:
        body: its bytes.
        etag: to be named when it is replaced.
        age: seconds since it was written, by the store's own clock.
    """

    body: bytes
    etag: str
    age: float


@dataclass(frozen=True)
class Listed:
    """An object of a listing.

    Attributes:
        key: below the store's folder.
        etag: changes with the content.
        size: bytes.
        modified: when it was written.
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
        ConfigurationError: the address has another form, or leads to a store without encryption.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self.bucket, self.folder = parts_of(address)
        self._client = _client()

    def get(self, key: str) -> Found | None:
        """An object of modest size; None when it is not there."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=self._full(key))
            body = answer["Body"].read()
        except Exception as fault:
            if _code(fault) in _ABSENT:
                return None
            raise self._told(fault, "read") from None
        return Found(body, answer["ETag"], _age(answer))

    def put(self, key: str, body: bytes, *, replacing: str) -> str:
        """Write an object on a condition.

        Args:
            key: its key.
            body: its bytes, never the same twice, so that an answer that was lost can be told from a refusal.
            replacing: ETag of what it replaces, or ``NEW``.

        Returns:
            Its ETag.

        Raises:
            ChangedError: what stands there is something else.
        """
        condition = {"IfNoneMatch": "*"} if replacing == NEW else {"IfMatch": replacing}
        try:
            return str(self._put(key, body, **condition))
        except Exception as fault:
            if _code(fault) not in (*_CHANGED, *_ABSENT):
                raise self._told(fault, "written") from None
        found = self.get(key)  # botocore tries again when an answer is lost, and then meets its own object
        if found is not None and found.body == body:
            return found.etag
        raise ChangedError(key)

    def add(self, key: str, body: bytes | BinaryIO) -> None:
        """Write an object whose key tells its content, so that whoever writes it writes the same."""
        try:
            self._put(key, body)
        except Exception as fault:
            raise self._told(fault, "written") from None

    def copy_to(self, key: str, handle: BinaryIO) -> bool:
        """Append an object's bytes to a file; False when it is not there."""
        try:
            answer = self._client.get_object(Bucket=self.bucket, Key=self._full(key))
            for chunk in answer["Body"].iter_chunks(_CHUNK):
                handle.write(chunk)
        except Exception as fault:
            if _code(fault) in _ABSENT:
                return False
            raise self._told(fault, "read") from None
        return True

    def listed(self, prefix: str) -> Iterator[Listed]:
        """Every object whose key begins so."""
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._full(prefix)):
                for own in page.get("Contents", []):
                    key = own["Key"].removeprefix(self._full(""))
                    yield Listed(key, own["ETag"], own["Size"], own["LastModified"])
        except Exception as fault:
            raise self._told(fault, "listed") from None

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; what is gone already counts as deleted."""
        names = sorted(keys)
        for start in range(0, len(names), _AT_ONCE):
            told = [{"Key": self._full(key)} for key in names[start : start + _AT_ONCE]]
            try:
                self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": told, "Quiet": True})
            except Exception as fault:
                raise self._told(fault, "deleted") from None

    def _full(self, key: str) -> str:
        return f"{self.folder}/{key}" if self.folder else key

    def _put(self, key: str, body: bytes | BinaryIO, **condition: str) -> str:
        told = self._client.put_object(Bucket=self.bucket, Key=self._full(key), Body=body, **condition)
        return str(told["ETag"])

    def _told(self, fault: Exception, what: str) -> Exception:
        """A sentence without a library's words, which may quote an address or a key."""
        import botocore.exceptions as known

        if not isinstance(fault, known.BotoCoreError | known.ClientError):
            return fault
        reason = _code(fault) or type(fault).__name__
        return AscoError(
            f"the store {self.address} (ASCO_STORE) cannot be {what}: {reason}",
            remedy="Check that it answers and that its keys may do this; asco doctor tells more",
        )


def parts_of(address: str) -> tuple[str, str]:
    """Bucket and folder of an address.

    Raises:
        ConfigurationError: it has another form.
    """
    parts = urlsplit(address)
    if parts.scheme != "s3" or not parts.hostname or parts.username or parts.query:
        raise ConfigurationError("ASCO_STORE is no address of a store", expected=FORM)
    return parts.netloc, parts.path.strip("/")


def _client() -> Any:
    from botocore.config import Config
    from fsspec.config import conf

    own = conf.get("s3", {})
    client = _session().create_client(
        "s3",
        endpoint_url=own.get("endpoint_url"),
        aws_access_key_id=own.get("key"),
        aws_secret_access_key=own.get("secret"),
        region_name=_session().get_config_variable("region")
        or "us-east-1",  # the name that stores beside AWS' expect
        config=Config(
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "standard", "max_attempts": 5},
            # not every store knows AWS' newer checksums; what is brought is compared with its sha256
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    endpoint = urlsplit(client.meta.endpoint_url)
    if endpoint.scheme != "https" and not is_loopback(endpoint.hostname or ""):
        raise ConfigurationError(
            "the store's endpoint would be spoken to without encryption",
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
            "the store's answers carry no date, so that no lease can be judged",
            remedy="Use a store, or a proxy before it, that sends the header Date",
        )
    now = email.utils.parsedate_to_datetime(date)
    return float((now - answer["LastModified"]).total_seconds())
