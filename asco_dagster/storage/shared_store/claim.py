"""Who owns a wave: one object, written on the condition that it is still the one that was read.

An owner renews its lease while it lives; an expired one is taken over with the next higher fence. The age of
a lease is measured by the store's clock, so that machines need not agree on the time. An owner that could not
renew in time stops before another may take over; what a paused one still writes is rejected by the fence
(``state``).
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass, replace

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.storage.shared_store.objects import NEW, ChangedError, Found, Store

RENEWALS = 5
"""Renewals within one lease."""

TRUST = 0.8
"""Share of the lease after which an owner that could not renew stops."""

_SLACK = 2.0  # seconds: the store's clock has whole seconds


@dataclass(frozen=True)
class Lease:
    """The content of the object.

    Attributes:
        fence: number of the ownership; a later owner has a higher one.
        run: id of the run or name of the command.
        host: machine.
        pid: process on it.
        seconds: duration of the lease after each renewal.
        token: unique to the owner.
        beat: number of the renewal.
        released: whether the owner released it.
    """

    fence: int
    run: str
    host: str
    pid: int
    seconds: float
    token: str
    beat: int = 0
    released: bool = False

    def body(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self), sort_keys=True).encode()

    def lapsed(self, age: float) -> bool:
        """Whether another may take over, ``age`` seconds after the last renewal by the store's clock."""
        return self.released or age > self.seconds + _SLACK

    def owner(self) -> str:
        """The owner, for a sentence."""
        return f"run {self.run[:8]}, process {self.pid} of {self.host}"


class Claim:
    """The ownership of a wave, renewed in a thread until it is released or lost."""

    def __init__(self, store: Store, wave: str, lease: Lease, etag: str, since: float) -> None:
        self.wave, self._store, self._lease, self._etag = wave, store, lease, etag
        self._renewed, self._lost, self._over = since, False, threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"claim-{wave}", daemon=True)
        self._thread.start()

    @property
    def fence(self) -> int:
        """Number of this ownership."""
        return self._lease.fence

    def holds(self) -> bool:
        """Whether no other worker can own the wave now."""
        return not self._lost and time.monotonic() - self._renewed < self._lease.seconds * TRUST

    def require(self) -> None:
        """Check that this process still owns the wave.

        Raises:
            AscoError: the lease was lost.
        """
        if not self.holds():
            self._lost = True
            raise AscoError(
                f"this run no longer owns wave {self.wave}: its lease in the store was not renewed in time,"
                " and another worker may have taken over",
                remedy="Nothing more of it is uploaded; see the wave's later run, or run it again",
            )

    def release(self) -> None:
        """Release the lease at once, unless it is lost."""
        self._over.set()
        self._thread.join()
        if self.holds():
            with contextlib.suppress(ChangedError, AscoError):
                self._write(replace(self._lease, beat=self._lease.beat + 1, released=True))
        self._lost = True

    def _keep(self) -> None:
        while not self._over.wait(self._lease.seconds / RENEWALS):
            try:
                self._write(replace(self._lease, beat=self._lease.beat + 1))
            except ChangedError:
                self._lost = True
                return
            except AscoError:
                continue  # the store may answer again before the lease lapses

    def _write(self, lease: Lease) -> None:
        begun = time.monotonic()
        self._etag = self._store.put(key_of(self.wave), lease.body(), replacing=self._etag)
        self._lease, self._renewed = lease, begun


def claim(store: Store, wave: str, run: str, seconds: float) -> Claim:
    """Claim a wave; waits until the lease of an owner that no longer renews expires.

    ``run`` is the id of the run or the name of the command; the lease lasts ``seconds`` after each renewal.

    Raises:
        AscoError: another owner is alive, or the store does not answer.
        ConfigurationError: the store ignores conditions of writes.
    """
    wanted = Lease(0, run, socket.gethostname(), os.getpid(), seconds, uuid.uuid4().hex)
    seen: str | None = None
    while True:
        begun = time.monotonic()
        found = store.get(key_of(wave))
        former = lease_of(found) if found else None
        if found is None or former is None or former.lapsed(found.age):
            lease = replace(wanted, fence=former.fence + 1 if former else 1)
            try:
                etag = store.put(key_of(wave), lease.body(), replacing=found.etag if found else NEW)
            except ChangedError:
                continue  # another worker was faster
            _require_conditions(store, wave, lease)
            return Claim(store, wave, lease, etag, begun)
        if seen not in (None, found.etag):
            raise AscoError(
                f"wave {wave} is owned by another worker ({former.owner()})",
                remedy="Wait for it or cancel it; two runs of one wave never overlap",
            )
        seen = found.etag
        time.sleep(min(2.0, former.seconds / RENEWALS / 2))


def look(store: Store, wave: str) -> tuple[Lease, bool] | None:
    """The last owner of a wave, and whether its lease is over; None if it never had one."""
    found = store.get(key_of(wave))
    if found is None:
        return None
    lease = lease_of(found)
    return lease, lease.lapsed(found.age)


def lease_of(found: Found) -> Lease:
    """The lease in an object of the store.

    Raises:
        ConfigurationError: it is of another version.
    """
    try:
        return Lease(**json.loads(found.body))
    except (ValueError, TypeError):
        raise ConfigurationError(
            "the claim of a wave in the store was written by another version",
            remedy="Use the same version of asco_dagster on all machines",
        ) from None


def key_of(wave: str) -> str:
    """Key of a wave's claim."""
    return f"confidential/claims/{wave}.json"


def _require_conditions(store: Store, wave: str, lease: Lease) -> None:
    """Check that the store rejects writes whose condition fails: else one wave could have two owners."""
    other = replace(lease, token="no owner").body()  # noqa: S106 (of no owner)
    for condition in (NEW, '"0"'):
        try:
            store.put(key_of(wave), other, replacing=condition)
        except ChangedError:
            continue
        raise ConfigurationError(
            f"the store {store.address} (ASCO_STORE) accepts writes whose condition fails",
            expected="support of If-Match and If-None-Match on PutObject",
            remedy="Update it, or use another store: with this one two workers could own one wave",
        )
