"""A wave that this process owns: claimed and downloaded first, uploaded before the run counts as done."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from asco_dagster.durable import locked, write_whole
from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places
from asco_dagster.storage.shared_store.claim import Claim, claim
from asco_dagster.storage.shared_store.contents import (
    CONFIDENTIAL,
    RELEASED,
    RELEASES,
    files_of,
    index_key,
    index_of,
    is_of,
    is_shown,
    public_key,
)
from asco_dagster.storage.shared_store.inbox import download_inbox
from asco_dagster.storage.shared_store.moving import MissingError, download, upload
from asco_dagster.storage.shared_store.objects import NEW, ChangedError, Store
from asco_dagster.storage.shared_store.state import State, pieces_key, read_state, stamp, write_state
from asco_dagster.waves import wave_names

_ALL = (*CONFIDENTIAL, RELEASES)
_TRIES = 5  # of reading a state that its owner replaces meanwhile
_held: dict[str, "Held"] = {}


@dataclass
class Held:
    """A wave that this process owns.

    ``state`` is that in the store, ``downloaded`` the number of files that came from there.
    """

    store: Store
    places: Places
    wave: str
    claim: Claim
    state: State
    downloaded: int = 0

    def upload_releases(self) -> None:
        """Upload what is published, sealed or withdrawn; the tables follow at the end.

        Raises:
            AscoError: the ownership was lost, or the store refuses.
        """
        self.upload(RELEASED)

    def upload(self, tops: tuple[str, ...] = _ALL) -> None:
        """Upload the wave, or some of its folders.

        Raises:
            AscoError: the ownership was lost, or the store refuses.
        """
        self.claim.require()
        former = self.state
        new = upload(self.store, self.places.home, self.wave, former, self.claim.fence, tops)
        rest = {path: entry for path, entry in former.files.items() if not is_of(path, tops)}
        self.claim.require()
        self.state = write_state(self.store, self.wave, replace(former, files={**rest, **new}), former)
        _mark(self.store, self.places, self.wave)
        _write_index(self.store, self.wave, self.state)
        # Only what this owner replaced: a later owner may rely on anything else.
        self.store.delete(former.keys() - self.state.keys())


@contextmanager
def hold(settings: Settings, places: Places, wave: str, run: str) -> Iterator[Held | None]:
    """Own a wave, with its latest state in the home; None, without effect, if there is no store.

    ``run`` is the id of the run or the name of the command.

    Raises:
        AscoError: another worker owns it, or the store does not answer.
        ConfigurationError: the wave of the home is not the store's.
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
            held.downloaded = len(_download(store, places, wave, state, lambda _: True))
            if places.other_inbox is None:
                held.downloaded += len(download_inbox(store, wave, places.inbox(wave)))
            _write_index(store, wave, state)  # a killed owner may not have done so
            _download_releases(store, places, wave)
            owned.require()
            _held[wave] = held
            yield held
    finally:
        _held.pop(wave, None)
        owned.release()


def upload_releases(settings: Settings, wave: str) -> None:
    """Upload what a step has just published, before the step counts as done; nothing without a store.

    Raises:
        AscoError: this process no longer owns the wave, or the store refuses.
    """
    if settings.store is not None:
        held = _owned(wave)
        held.upload_releases()
        # for later steps, which compare with what other waves released meanwhile
        _download_releases(held.store, held.places, wave)


def require_held(settings: Settings, wave: str) -> None:
    """Check that this process owns a wave; always true without a store.

    Raises:
        AscoError: this process does not own it.
    """
    if settings.store is not None:
        _owned(wave).claim.require()


def download_for_pages(settings: Settings, places: Places, wave: str) -> None:
    """Download what pages and calendar of this machine need of a wave, unless a run here owns it."""
    if settings.store is None:
        return
    store = Store(settings.store)
    try:
        with _home_of(places, wave, wait=False):
            _download(store, places, wave, None, is_shown)
    except BlockingIOError:
        return  # the run here is newer than the store


def _owned(wave: str) -> Held:
    if wave not in _held:
        raise AscoError(
            f"no run in this process owns wave {wave} in the store",
            remedy="Start it with asco run or in the UI",
        )
    return _held[wave]


def _download(
    store: Store, places: Places, wave: str, state: State | None, wanted: Callable[[str], bool]
) -> list[str]:
    """Download files of a wave; without a state, it is read, and again if it is replaced meanwhile."""
    for _ in range(_TRIES):
        found = state or read_state(store, wave)
        if not found.files:
            return []  # nothing was ever uploaded: the owner will upload what the home has
        _require_mirror(store, places, wave)
        try:
            return download(store, places.home, wave, found.files, wanted)
        except MissingError as missing:
            if state is not None:
                raise AscoError(
                    f"the store no longer has {missing}, which its state of wave {wave} names",
                    remedy="Restore the objects of the store from its backup",
                ) from None
    raise AscoError(f"wave {wave} changed in the store at each attempt to read it", remedy="Try again later")


def _require_mirror(store: Store, places: Places, wave: str) -> None:
    """Never overwrite files of a home that was not filled from this store."""
    mark = places.store / f"{wave}.json"
    known = json.loads(mark.read_text(encoding="utf-8"))["store"] if mark.is_file() else None
    if known == store.address:
        return
    if known is not None or files_of(places.home, wave, (RELEASES, "waves")):
        raise ConfigurationError(
            f"wave {wave} of the home {places.home} does not come from this store",
            expected=f"a home that was filled from {store.address}",
            remedy="Set another ASCO_HOME for this store; nothing was changed",
        )
    _mark(store, places, wave)


def _mark(store: Store, places: Places, wave: str) -> None:
    write_whole(places.store / f"{wave}.json", json.dumps({"store": store.address}))


def _download_releases(store: Store, places: Places, wave: str) -> None:
    """Download the releases of other waves, with which evolution and drift compare."""
    for other in wave_names():
        if other == wave:
            continue
        try:
            with _home_of(places, other, wait=False):
                _download(store, places, other, None, lambda path: is_of(path, (RELEASES,)))
        except BlockingIOError:
            continue  # a run in this home works on that wave


def _sweep(held: Held) -> None:
    """Delete what a killed upload of a former owner left; since the stamp nobody can refer to it."""
    kept = held.state.keys() | {index_key(held.wave)}
    current = pieces_key(held.wave, held.claim.fence)
    for prefix in (pieces_key(held.wave), public_key(held.wave)):
        left = [one.key for one in held.store.listed(prefix) if not one.key.startswith(current)]
        held.store.delete(key for key in left if key not in kept)
    if not held.state.files and not files_of(held.places.home, held.wave, (RELEASES, "waves")):
        _mark(held.store, held.places, held.wave)  # this home has no files to overwrite


def _write_index(store: Store, wave: str, state: State) -> None:
    """Write the public list of versions, unless the store has a later one."""
    index = index_of(wave, state.files)
    if not index["versions"]:
        return
    body = json.dumps({"serial": state.serial, **index}, indent=1).encode()
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
    """Lock a wave of this home against other processes of this machine."""
    with locked(places.store / f"{wave}.lock", wait=wait):
        yield
