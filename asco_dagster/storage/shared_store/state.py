"""What the store holds of a wave: one small object that names every file, replaced only by the wave's owner.

The files go first, under keys that no later write touches; then this object, on the condition that it is
still the one that was read. An upload killed at any instant so leaves the former state whole. Each owner
writes it once before it works, with its own fence: from then on a former owner that was only asleep meets
another object and can store nothing. What does not belong here: which files there are (``contents``),
moving them (``moving``).
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from asco_dagster.errors import AscoError, ConfigurationError
from asco_dagster.storage.shared_store.objects import NEW, ChangedError, Store

LAYOUT = 1
PIECES = "pieces"


@dataclass(frozen=True)
class Entry:
    """One file or link of a home.

    Attributes:
        sha256: of the file; empty for a link.
        size: bytes.
        keys: objects that hold it, one after the other.
        link: where a link points to; empty for a file.
    """

    sha256: str = ""
    size: int = 0
    keys: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True)
class State:
    """The files of a wave as the store holds them.

    Attributes:
        fence: of the owner that wrote it.
        serial: number of the write; never the same twice.
        files: entries by path below the home.
        etag: of the object that was read or written; ``NEW`` before the first.
    """

    fence: int = 0
    serial: int = 0
    files: dict[str, Entry] = field(default_factory=dict)
    etag: str = NEW

    def keys(self) -> set[str]:
        """Every object that it names."""
        return {key for entry in self.files.values() for key in entry.keys}

    def body(self) -> bytes:
        """The object's bytes."""
        files = {path: asdict(entry) for path, entry in sorted(self.files.items())}
        told = {"layout": LAYOUT, "fence": self.fence, "serial": self.serial, "files": files}
        return json.dumps(told, indent=1).encode()


def read_state(store: Store, wave: str) -> State:
    """What the store holds of a wave; an empty state when it holds nothing.

    Raises:
        ConfigurationError: it was written by a newer version.
    """
    found = store.get(state_key(wave))
    if found is None:
        return State()
    told: dict[str, Any] = json.loads(found.body)
    if told.get("layout") != LAYOUT:
        raise ConfigurationError(
            f"wave {wave} was stored by another version (layout {told.get('layout')})",
            expected=f"layout {LAYOUT}",
            remedy="Use the same version of asco_dagster on all machines",
        )
    files = {path: Entry(**{**own, "keys": tuple(own["keys"])}) for path, own in told["files"].items()}
    return State(told["fence"], told["serial"], files, found.etag)


def stamp(store: Store, wave: str, fence: int) -> State:
    """Take a wave's state over: from here on no former owner can store anything.

    Raises:
        AscoError: a later owner has taken it over already.
    """
    while True:
        former = read_state(store, wave)
        if former.fence >= fence:
            raise _taken(wave)
        try:
            return _put(store, wave, replace(former, fence=fence), former)
        except ChangedError:
            continue  # a former owner stored its work at this very moment: take that


def write_state(store: Store, wave: str, state: State, former: State) -> State:
    """Put a state in the place of the one that it was made of.

    Raises:
        AscoError: another owner has stored since.
    """
    try:
        return _put(store, wave, state, former)
    except ChangedError:
        raise _taken(wave) from None


def state_key(wave: str) -> str:
    """Where the state of a wave stands."""
    return f"confidential/waves/{wave}/state.json"


def pieces_key(wave: str, fence: int | None = None) -> str:
    """Where an owner's pieces stand; those of all owners without a fence."""
    below = f"{fence}/" if fence is not None else ""
    return f"confidential/waves/{wave}/{PIECES}/{below}"


def _put(store: Store, wave: str, state: State, former: State) -> State:
    wanted = replace(state, serial=former.serial + 1)
    return replace(wanted, etag=store.put(state_key(wave), wanted.body(), replacing=former.etag))


def _taken(wave: str) -> AscoError:
    return AscoError(
        f"wave {wave} was stored by another worker in the meantime, so nothing of this run is",
        remedy="Look at the wave's later run, or run it again",
    )
