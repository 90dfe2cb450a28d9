"""The state of a wave in the store: one small object that names every file, replaced by the owner only.

Files are uploaded first, under keys that no later write touches; then this object, on condition that it is
still the one that was read. An upload killed at any instant thus leaves the former state complete. Each owner
writes it once before it works, with its fence: a former owner that was only paused finds another object and
can upload nothing.
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
        keys: objects of its pieces, in order.
        link: target of a link; empty for a file.
    """

    sha256: str = ""
    size: int = 0
    keys: tuple[str, ...] = ()
    link: str = ""


@dataclass(frozen=True)
class State:
    """The files of a wave in the store.

    Attributes:
        fence: of the owner that wrote it.
        serial: number of the write; never the same twice.
        files: entries by path relative to the home.
        etag: of the object that was read or written; ``NEW`` before the first.
    """

    fence: int = 0
    serial: int = 0
    files: dict[str, Entry] = field(default_factory=dict)
    etag: str = NEW

    def keys(self) -> set[str]:
        """Every object it names."""
        return {key for entry in self.files.values() for key in entry.keys}

    def body(self) -> bytes:
        """As JSON."""
        files = {path: asdict(entry) for path, entry in sorted(self.files.items())}
        content = {"layout": LAYOUT, "fence": self.fence, "serial": self.serial, "files": files}
        return json.dumps(content, indent=1).encode()


def read_state(store: Store, wave: str) -> State:
    """The state of a wave in the store; empty if it has none.

    Raises:
        ConfigurationError: it was written by a newer version.
    """
    found = store.get(state_key(wave))
    if found is None:
        return State()
    content: dict[str, Any] = json.loads(found.body)
    if content.get("layout") != LAYOUT:
        raise ConfigurationError(
            f"wave {wave} was stored by another version (layout {content.get('layout')})",
            expected=f"layout {LAYOUT}",
            remedy="Use the same version of asco_dagster on all machines",
        )
    files = {path: Entry(**{**one, "keys": tuple(one["keys"])}) for path, one in content["files"].items()}
    return State(content["fence"], content["serial"], files, found.etag)


def stamp(store: Store, wave: str, fence: int) -> State:
    """Take over a wave's state: from here on no former owner can upload anything.

    Raises:
        AscoError: a later owner has taken it over already.
    """
    while True:
        former = read_state(store, wave)
        if former.fence >= fence:
            raise _lost(wave)
        try:
            return _put(store, wave, replace(former, fence=fence), former)
        except ChangedError:
            continue  # a former owner uploaded at this very moment: use that


def write_state(store: Store, wave: str, state: State, former: State) -> State:
    """Replace the state from which a new one was derived.

    Raises:
        AscoError: another owner has uploaded since.
    """
    try:
        return _put(store, wave, state, former)
    except ChangedError:
        raise _lost(wave) from None


def state_key(wave: str) -> str:
    """Key of the state of a wave."""
    return f"confidential/waves/{wave}/state.json"


def pieces_key(wave: str, fence: int | None = None) -> str:
    """Prefix of the pieces of an owner, or without a fence of all owners."""
    below = f"{fence}/" if fence is not None else ""
    return f"confidential/waves/{wave}/{PIECES}/{below}"


def _put(store: Store, wave: str, state: State, former: State) -> State:
    wanted = replace(state, serial=former.serial + 1)
    return replace(wanted, etag=store.put(state_key(wave), wanted.body(), replacing=former.etag))


def _lost(wave: str) -> AscoError:
    return AscoError(
        f"another worker has uploaded wave {wave} meanwhile; this run uploads nothing",
        remedy="See the wave's later run, or run it again",
    )
