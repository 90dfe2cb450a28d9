"""A release: which version a content becomes, and whether it is published now or sealed.

A process killed at any instant leaves the former state or the new one: the folder is written as a draft and
renamed (``draft``), ``latest`` is replaced by rename. A version is sealed before the day of its embargo, and
while nobody has approved that it changes public numbers (``embargo``, ``approval``). Which versions there
are: ``store``.
"""

import datetime as dt
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from asco_dagster.errors import ReleaseError
from asco_dagster.releases import embargo
from asco_dagster.releases.approval import REQUIRED, record_approval, waits_for_approval
from asco_dagster.releases.changes import Changes, compare_releases
from asco_dagster.releases.contract import ReleasedFile
from asco_dagster.releases.draft import content_hash, draft_in, entries_of, put, seal, write_manifest
from asco_dagster.releases.signature import Sign
from asco_dagster.releases.store import (
    MANIFEST,
    TOMBSTONE,
    ReleaseStore,
    next_version,
    point_latest,
    read_manifest,
)


@dataclass(frozen=True)
class Provenance:
    """Where a release comes from.

    Attributes:
        code_version: version of this code.
        inputs: each input's address, sha256 and size.
        gates: state of every gate upstream.
        rules: the disclosure rules applied.
        rounding: rounding step of each kind of released number.
        tools: versions of what computed the masks and attacked them.
        seconds: how long that took; in the manifest only, since it is never the same twice.
        wave_file: name and sha256 of the wave file.
        dependencies: sha256 of the lock of the packages that ran, by file.
        demonstration: says that the data are invented; empty for real ones, and then not in the manifest.
    """

    code_version: str
    inputs: Sequence[Mapping[str, Any]]
    gates: Mapping[str, str]
    rules: Mapping[str, Any]
    rounding: Mapping[str, float]
    tools: Mapping[str, str] = field(default_factory=dict)
    wave_file: Mapping[str, str] = field(default_factory=dict)
    dependencies: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    demonstration: str = ""


@dataclass(frozen=True)
class Description:
    """A new version, as the files that describe it need it: they are written once its content is known.

    Attributes:
        version: the version.
        former: folder of what the former version said, None for the first.
        changes: what changed since, None for the first.
        files: entries of the files of the content, as the manifest has them.
        provenance: where they come from.
    """

    version: str
    former: Path | None
    changes: Changes | None
    files: Mapping[str, Mapping[str, Any]]
    provenance: Provenance


@dataclass(frozen=True)
class Published:
    """What came of it.

    Attributes:
        folder: the folder of the version.
        version: the version.
        is_new: False when it existed already.
        sealed_until: first instant at which it may be public; None when that has come.
        unapproved: it waits until somebody approves what it changes.
    """

    folder: Path
    version: str
    is_new: bool
    sealed_until: dt.datetime | None = None
    unapproved: bool = False

    @property
    def is_public(self) -> bool:
        """Whether it waits for nothing."""
        return self.sealed_until is None and not self.unapproved


Write = Callable[[Path], Sequence[ReleasedFile]]
Describe = Callable[[Path, Description], Sequence[ReleasedFile]]
Announce = Callable[[str, str], None]


def publish(
    wave: str,
    store: ReleaseStore,
    write: Write,
    provenance: Provenance,
    *,
    describe: Describe | None = None,
    announce: Announce | None = None,
    remember: Callable[[str], None] | None = None,
    public_from: dt.datetime | None = None,
    approval_required: bool = False,
    sign: Sign | None = None,
) -> Published:
    """Write one version and publish it, or seal it when its day has not come or it waits for an approval.

    The same content as the newest version makes no new one: that one is returned, and a version that waited
    is dropped, since the present inputs do not make it. Other content makes the next patch (no number is
    another), minor (numbers were added) or major version (public numbers changed).

    Args:
        wave: the wave.
        store: its folders.
        write: writes the files of the content into the folder that it is given, and lists them.
        provenance: where they come from.
        describe: writes the files that describe the version itself; they do not count as content.
        announce: is given version and content hash right before a new version becomes public.
        remember: is given the content hash before the version can become public, and also when the version
            is there already: what it keeps is then there however an earlier run ended.
        public_from: first instant at which the version may be public; None means at once.
        approval_required: a minor or major version waits until somebody approves it; a patch does not, nor
            does the first version, before which nothing is public.
        sign: signs its manifest; None leaves it unsigned.

    Raises:
        ReleaseError: a written file is not what the manifest says, the version exists already, or the content
            is that of a withdrawn version.
    """
    with store.held():
        now = _now()
        day = public_from if public_from is not None and now < public_from else None
        may_wait = day is not None or (approval_required and bool(store.known()))
        with draft_in(store, store.sealed if may_wait else store.releases) as draft:
            files = entries_of(draft, write(draft))
            content = content_hash(files)
            if remember is not None:
                remember(content)
            existing = _version_with(store, content)
            if existing is not None:
                embargo.clear(store)
                return existing
            if may_wait and _waits_already(store, content, day, approval_required):
                return _publish_when_due(store, False, day, announce, sign)
            description = _describe_version(draft, store, files, provenance)
            more = entries_of(draft, describe(draft, description)) if describe is not None else {}
            manifest = _manifest(wave, description, {**files, **more}, content, provenance)
            if may_wait:
                approval = _approval(manifest, approval_required)
                stamps = {"sealed_at": _instant(now), "public_from": _instant(day), "approval": approval}
            else:
                stamps = {"released_at": _instant(now)}
            write_manifest(draft, manifest | stamps, sign)
            seal(draft)
            if may_wait:
                embargo.keep(store, draft)
                return _publish_when_due(store, True, day, announce, sign)
            if announce is not None:
                announce(description.version, content)
            target = put(store, draft, description.version)
            embargo.clear(store)
            return Published(target, description.version, is_new=True)


def approve(store: ReleaseStore, version: str, by: str, sign: Sign | None = None) -> Published:
    """Approve the version that waits, and publish it once its day has come.

    The approval is recorded first, so that a process killed behind it leaves a version that the next one
    publishes.

    Args:
        store: the wave's folders.
        version: the version, or its name as a candidate, which no other content has (``2.0.0-3f2a1b9c0d12``).
        by: who approves it.
        sign: signs its manifest, which then holds the time of release.

    Raises:
        ReleaseError: it is not the version that waits, or another was published since it was made.
        ConfigurationError: no name is given.
    """
    with store.held():
        sealed = embargo.waiting(store)
        manifest = read_manifest(sealed) if sealed else {}
        if version not in (manifest.get("version"), sealed.name if sealed else None):
            return _public_already(store, version, sealed)
        if _version_with(store, manifest["content_sha256"]) is None:
            _require_same_former(store, manifest)
            record_approval(store, manifest, by, _now())
        return _publish_when_due(store, sign=sign)


def publish_sealed(store: ReleaseStore, version: str, sign: Sign | None = None) -> Published:
    """Publish the sealed version, once its instant has come.

    Args:
        store: the wave's folders.
        version: the version.
        sign: signs its manifest, which then holds the time of release.

    Raises:
        ReleaseError: it is not sealed, its instant has not come, nobody has approved it, or another was
            published since.
    """
    with store.held():
        return _publish_sealed(store, version, sign)


def _publish_sealed(store: ReleaseStore, version: str, sign: Sign | None) -> Published:
    sealed = embargo.waiting(store)
    if sealed is None or read_manifest(sealed)["version"] != version:
        if version in store.public():
            return Published(store.releases / version, version, is_new=False)
        raise ReleaseError(
            f"no version {version} is sealed",
            expected=read_manifest(sealed)["version"] if sealed else "a sealed version",
            remedy="“asco releases” lists them; “asco run” makes one",
        )
    manifest, now = read_manifest(sealed), _now()
    opens = embargo.opening(store, manifest)
    if now < opens:
        raise ReleaseError(
            f"version {version} is under embargo until {_instant(opens)}", remedy="Publish it then, or later"
        )
    if waits_for_approval(store, manifest):
        raise ReleaseError(
            f"version {version} changes public numbers, and nobody has approved it",
            remedy=f"Look at its differences, then: asco release approve {manifest['wave']} {sealed.name}",
        )
    existing = _version_with(store, manifest["content_sha256"])
    if existing is None:
        _require_same_former(store, manifest)
        with draft_in(store, store.releases) as draft:
            shutil.copytree(sealed, draft, dirs_exist_ok=True)
            (draft / MANIFEST).unlink()
            public = {name: value for name, value in manifest.items() if name != "approval"}
            write_manifest(draft, {**public, "released_at": _instant(now)}, sign)
            seal(draft)
            existing = Published(put(store, draft, version), version, is_new=True)
    embargo.clear(store)
    return existing


def _publish_when_due(
    store: ReleaseStore,
    is_new: bool = False,
    day: dt.datetime | None = None,
    announce: Announce | None = None,
    sign: Sign | None = None,
) -> Published:
    """Publish the sealed version unless it still waits for its day or for an approval.

    Args:
        store: the wave's folders, held.
        is_new: whether this process made it.
        day: end of its embargo, where the caller knows it.
        announce: see ``publish``.
        sign: see ``publish``.
    """
    sealed = embargo.waiting(store)
    if sealed is None:
        raise ReleaseError("no version waits", remedy="“asco run” makes one")
    manifest, now = read_manifest(sealed), _now()
    opens, unapproved = embargo.opening(store, manifest), waits_for_approval(store, manifest)
    if now < opens or unapproved:
        until = (day or opens) if now < opens else None
        return Published(sealed, manifest["version"], is_new, until, unapproved)
    if announce is not None:
        announce(manifest["version"], manifest["content_sha256"])
    return _publish_sealed(store, manifest["version"], sign)


def _waits_already(
    store: ReleaseStore, content: str, day: dt.datetime | None, approval_required: bool
) -> bool:
    """Whether the version that waits is the one to be made: same content, former version and conditions."""
    sealed = embargo.waiting(store)
    if sealed is None:
        return False
    manifest, known = read_manifest(sealed), store.known()
    wanted = {
        "content_sha256": content,
        "former_version": known[-1] if known else None,
        "public_from": _instant(day),
    }
    return wanted.items() <= manifest.items() and manifest.get("approval") == _approval(
        manifest, approval_required
    )


def _approval(manifest: Mapping[str, Any], required: bool) -> str | None:
    """What a manifest says of the approval of its version: only what changes public numbers needs one."""
    return REQUIRED if required and manifest["change"] in ("minor", "major") else None


def _public_already(store: ReleaseStore, version: str, sealed: Path | None) -> Published:
    """The public version that is to be approved once more.

    Raises:
        ReleaseError: it is not public either.
    """
    number = version.partition("-")[0]
    if number in store.public():
        folder = store.releases / number
        if version in (number, embargo.name_of(read_manifest(folder))):
            return Published(folder, number, is_new=False)
    raise ReleaseError(
        f"no version {version} waits for an approval",
        expected=f"{sealed.name}, the newest candidate" if sealed else "a candidate",
        remedy="Look at its differences, then approve that one"
        if sealed
        else "“asco releases” lists the versions, “asco run” makes one",
    )


def _version_with(store: ReleaseStore, content: str) -> Published | None:
    """The newest version when it says the same; a killed process may have left it unpointed to.

    Raises:
        ReleaseError: that version was withdrawn.
    """
    known = store.known()
    newest = store.content(known[-1]) if known else None
    if newest is None or read_manifest(newest)["content_sha256"] != content:
        return None
    if newest.parent != store.releases:
        tombstone = json.loads((store.releases / known[-1] / TOMBSTONE).read_text(encoding="utf-8"))
        raise ReleaseError(
            f"this is the content of version {known[-1]}, which was withdrawn: {tombstone['reason']}",
            remedy="Correct what it was withdrawn for, then run the wave again",
        )
    point_latest(store.releases, known[-1])
    return Published(newest, known[-1], is_new=False)


def _describe_version(
    draft: Path, store: ReleaseStore, files: Mapping[str, Mapping[str, Any]], provenance: Provenance
) -> Description:
    known = store.known()
    former = store.content(known[-1]) if known else None
    changes = compare_releases(former, draft) if former is not None else None
    version = next_version(known, changes.level if changes else "major")
    return Description(version, former, changes, files, provenance)


def _require_same_former(store: ReleaseStore, manifest: Mapping[str, Any]) -> None:
    known = store.known()
    newest = known[-1] if known else None
    if newest != manifest["former_version"]:
        raise ReleaseError(
            f"version {newest} was published since version {manifest['version']} was made",
            expected=f"{manifest['former_version'] or 'no version'}, with which it was protected",
            remedy="Run the wave again: it is then compared and protected with that version",
        )


def _manifest(
    wave: str, description: Description, files: Mapping[str, Any], content: str, provenance: Provenance
) -> dict[str, Any]:
    made = {name: value for name, value in asdict(provenance).items() if name != "demonstration" or value}
    return {
        "wave": wave,
        "version": description.version,
        "former_version": description.former.name if description.former else None,
        "change": description.changes.level if description.changes else None,
        "changes": description.changes.summary() if description.changes else None,
        "content_sha256": content,
        "files": dict(sorted(files.items())),
        "describing": sorted(set(files) - set(description.files)),
        **made,
    }


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _instant(instant: dt.datetime | None) -> str | None:
    return instant.astimezone(dt.UTC).isoformat(timespec="seconds") if instant else None
