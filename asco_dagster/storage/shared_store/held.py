"""A wave in the hands of this process: owned, brought into the home, stored again before anyone counts on it.

``hold`` is what a run and a command go through; ``show`` brings what the pages of a machine that runs
nothing need. What does not belong here: Dagster (``orchestration/wave_executor.py``).
"""

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from asco_dagster.durable import write_whole
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.shared_store.claim import Claim, claim
from asco_dagster.storage.shared_store.contents import (
    CONFIDENTIAL,
    RELEASES,
    SHELF,
    files_of,
    index_key,
    index_of,
    is_of,
    is_shown,
    public_key,
)
from asco_dagster.storage.shared_store.inbox import bring_inbox
from asco_dagster.storage.shared_store.moving import MissingError, lay, stored_files
from asco_dagster.storage.shared_store.objects import NEW, ChangedError, Store
from asco_dagster.storage.shared_store.state import State, pieces_key, read_state, stamp, write_state
from asco_dagster.waves import wave_names

_ALL = (*CONFIDENTIAL, RELEASES)
_TRIES = 5  # of reading a state whose owner stores meanwhile
_held: dict[str, "Held"] = {}


@dataclass
class Held:
    """A wave that this process owns.

    Attributes:
        store: the store.
        places: the home.
        wave: the wave.
        claim: the ownership.
        state: what the store holds of the wave.
        brought: how many files came from the store.
    """

    store: Store
    places: Places
    wave: str
    claim: Claim
    state: State
    brought: int = 0

    def keep_shelf(self) -> None:
        """Store what is published, sealed or withdrawn; the tables follow at the end.

        Raises:
            AscoError: the ownership was lost, or the store does not take it.
        """
        self._keep(SHELF)

    def keep(self) -> None:
        """Store everything of the wave.

        Raises:
            AscoError: the ownership was lost, or the store does not take it.
        """
        self._keep(_ALL)

    def _keep(self, tops: tuple[str, ...]) -> None:
        self.claim.demand()
        former = self.state
        new = stored_files(self.store, self.places.home, self.wave, former, self.claim.fence, tops)
        rest = {path: entry for path, entry in former.files.items() if not is_of(path, tops)}
        self.claim.demand()
        self.state = write_state(self.store, self.wave, replace(former, files={**rest, **new}), former)
        _mark(self.store, self.places, self.wave)
        _tell_readers(self.store, self.wave, self.state)
        # Only what this owner itself replaced: a later owner may count on anything else.
        self.store.delete(former.keys() - self.state.keys())


@contextmanager
def hold(settings: Settings, places: Places, wave: str, run: str) -> Iterator[Held | None]:
    """Own a wave for a while, its latest state in the home; None, and nothing done, without a store.

    Args:
        settings: the environment.
        places: the home.
        wave: the wave.
        run: id of the run, or what else owns it.

    Raises:
        AscoError: another worker owns it, or the store does not answer.
        ConfigurationError: the home has a wave of its own that is not the store's.
    """
    if settings.store is None:
        yield None
        return
    store = Store(settings.store)
    owned = claim(store, wave, run, settings.lease)
    try:
        with _home_of(places, wave):
            state = stamp(store, wave, owned.fence)
            held = Held(store, places, wave, owned, state)
            _sweep(held)
            held.brought = len(_lay(store, places, wave, state, lambda _: True))
            if places.other_inbox is None:
                held.brought += len(bring_inbox(store, wave, places.inbox(wave)))
            _tell_readers(store, wave, state)  # a killed owner may not have come so far
            _bring_releases(store, places, wave)
            owned.demand()
            _held[wave] = held
            yield held
    finally:
        _held.pop(wave, None)
        owned.give_back()


def keep_shelf(settings: Settings, wave: str) -> None:
    """Store what a step has just published, before the step counts as done; nothing without a store.

    Raises:
        AscoError: this process does not own the wave any more, or the store does not take it.
    """
    if settings.store is not None:
        held = _demanded(wave)
        held.keep_shelf()
        # what others released meanwhile, for the steps behind the release that compare with it
        _bring_releases(held.store, held.places, wave)


def require_held(settings: Settings, wave: str) -> None:
    """Go on only as the owner of a wave; always, without a store.

    Raises:
        AscoError: this process does not own it.
    """
    if settings.store is not None:
        _demanded(wave).claim.demand()


def show(settings: Settings, places: Places, wave: str) -> None:
    """Bring what pages and calendar of this machine need of a wave, unless a run here owns it."""
    if settings.store is None:
        return
    store = Store(settings.store)
    try:
        with _home_of(places, wave, wait=False):
            _lay(store, places, wave, None, is_shown)
    except BlockingIOError:
        return  # what the run here makes is newer than the store


def _demanded(wave: str) -> Held:
    if wave not in _held:
        raise AscoError(
            f"no run in this process owns wave {wave} in the store",
            remedy="Start it with asco run, or from Dagster's pages",
        )
    return _held[wave]


def _lay(
    store: Store, places: Places, wave: str, state: State | None, wanted: Callable[[str], bool]
) -> list[str]:
    """Bring files of a wave; a state that is replaced meanwhile is read again, unless it is our own."""
    for _ in range(_TRIES):
        found = state or read_state(store, wave)
        if not found.files:
            return []  # nothing was ever stored: what the home has is what the owner will store
        _require_mirror(store, places, wave)
        try:
            return lay(store, places.home, wave, found.files, wanted)
        except MissingError as missing:
            if state is not None:
                raise AscoError(
                    f"the store no longer has {missing}, which its state of wave {wave} names",
                    remedy="Restore the store's objects from its own backup",
                ) from None
    raise AscoError(f"wave {wave} is stored again and again; it could not be read", remedy="Try again later")


def _require_mirror(store: Store, places: Places, wave: str) -> None:
    """Never put the store's files over those of a home that it does not know."""
    mark = places.store / f"{wave}.json"
    known = json.loads(mark.read_text(encoding="utf-8"))["store"] if mark.is_file() else None
    if known == store.address:
        return
    if known is not None or files_of(places.home, wave, (RELEASES, "waves")):
        raise ConfigurationError(
            f"the home {places.home} has a wave {wave} of its own that is not the store's",
            expected=f"a home that was filled from {store.address}",
            remedy="Set another ASCO_HOME for this store; nothing was changed here",
        )
    _mark(store, places, wave)


def _mark(store: Store, places: Places, wave: str) -> None:
    write_whole(places.store / f"{wave}.json", json.dumps({"store": store.address}))


def _bring_releases(store: Store, places: Places, own: str) -> None:
    """What other waves released: evolution and drift compare with it."""
    for other in wave_names():
        if other == own:
            continue
        try:
            with _home_of(places, other, wait=False):
                _lay(store, places, other, None, lambda path: is_of(path, (RELEASES,)))
        except BlockingIOError:
            continue  # a run in this home works on that wave


def _sweep(held: Held) -> None:
    """Delete what a killed upload of a former owner left; since the stamp nobody can count on it."""
    kept = held.state.keys() | {index_key(held.wave)}
    own = pieces_key(held.wave, held.claim.fence)
    for prefix in (pieces_key(held.wave), public_key(held.wave)):
        left = [one.key for one in held.store.listed(prefix) if not one.key.startswith(own)]
        held.store.delete(key for key in left if key not in kept)
    if not held.state.files and not files_of(held.places.home, held.wave, (RELEASES, "waves")):
        _mark(held.store, held.places, held.wave)  # this home has nothing that the store's could replace


def _tell_readers(store: Store, wave: str, state: State) -> None:
    """Write the public list of versions, unless a later one stands there."""
    told = index_of(wave, state.files)
    if not told["versions"]:
        return
    body = json.dumps({"serial": state.serial, **told}, indent=1).encode()
    while True:
        found = store.get(index_key(wave))
        if found is not None and json.loads(found.body)["serial"] >= state.serial:
            return
        try:
            store.put(index_key(wave), body, replacing=found.etag if found else NEW)
        except ChangedError:
            continue
        return


@contextmanager
def _home_of(places: Places, wave: str, *, wait: bool = True) -> Iterator[None]:
    """Hold a wave of this home against other processes of this machine; a dead one holds nothing."""
    with (places.store / f"{wave}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
