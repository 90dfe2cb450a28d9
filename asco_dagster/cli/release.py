"""``asco release``: approves, publishes, withdraws or pushes a version; prints the key that signs them."""

import datetime as dt
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from asco_dagster.cli.arguments import WaveName, home
from asco_dagster.errors import ConfigurationError
from asco_dagster.publication.destinations import push_to_store, require_real_data
from asco_dagster.publication.portals import push_to_portal
from asco_dagster.releases import embargo
from asco_dagster.releases.candidate import candidate_of
from asco_dagster.releases.signature import public_key
from asco_dagster.releases.store import ReleaseStore, latest_release
from asco_dagster.releases.withdrawal import withdraw as withdraw_version
from asco_dagster.settings import Settings
from asco_dagster.storage.shared_store.held import hold
from asco_dagster.waves import load_wave

if TYPE_CHECKING:
    from asco_dagster.releases.release import Published

release = typer.Typer(
    name="release",
    help="Approve, publish, withdraw or push the versions of a wave; print the key that signs them.",
    no_args_is_help=True,
)

Version = Annotated[str, typer.Argument(metavar="VERSION", help="The version, for example 1.0.0.")]


@release.command()
def publish(
    wave: WaveName,
    version: Version,
    when: Annotated[
        str | None, typer.Option(help="Publish later, for example at 2027-02-21T08:45:00+01:00.")
    ] = None,
) -> None:
    """Publish a sealed version whose embargo has ended, now or at a given time.

    Example: asco release publish 2014 1.0.0
    """
    from asco_dagster.publication.waiting_versions import publish_waiting  # pandas

    with _held(wave, "asco release publish") as store:
        if when is not None:
            instant = _instant(when)
            embargo.plan(store, version, instant)
            if instant > dt.datetime.now(dt.UTC):
                once = ", once it is approved" if candidate_of(home()[1], wave) is not None else ""
                typer.echo(f"{wave} {version} will be published at {instant.isoformat()} by asco up{once}")
                return
        published = publish_waiting(*home(), wave, version, run_id=str(uuid.uuid4()), warn=typer.echo)
    _say(wave, published)


@release.command()
def approve(
    wave: WaveName,
    version: Annotated[
        str,
        typer.Argument(
            metavar="VERSION",
            help="The version, or the candidate's full name (2.0.0-3f2a1b9c0d12), which pins its content.",
        ),
    ],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who approves it, for the record.")],
) -> None:
    """Approve a version that changes public numbers, and publish it once its embargo has ended.

    Example: asco release approve 2014 2.0.0 --by "Camille Martin"
    """
    from asco_dagster.publication.waiting_versions import publish_waiting  # pandas

    with _held(wave, "asco release approve"):
        published = publish_waiting(*home(), wave, version, run_id=str(uuid.uuid4()), warn=typer.echo, by=by)
    _say(wave, published)


@release.command()
def withdraw(
    wave: WaveName,
    version: Version,
    reason: Annotated[str, typer.Option(help="Why; published in the tombstone.")],
) -> None:
    """Withdraw a version: a tombstone with the reason replaces it, and latest points to another version.

    Example: asco release withdraw 2014 1.0.0 --reason "a workbook was counted twice"
    """
    with _held(wave, "asco release withdraw") as store:
        withdraw_version(store, version, reason)
    latest = latest_release(store.releases)
    typer.echo(f"{wave} {version} withdrawn; latest is {latest.name if latest else 'no version'}")


@release.command()
def push(
    wave: WaveName,
    version: Version,
    to: Annotated[
        str, typer.Option(help="A folder, s3://bucket/folder, or with --portal the dataset's API address.")
    ],
    portal: Annotated[
        bool,
        typer.Option("--portal", help="A dataset of a udata or Opendatasoft portal (key: ASCO_PORTAL_KEY)."),
    ] = False,
    demonstration: Annotated[
        bool, typer.Option("--demonstration", help="Push a version made of invented data all the same.")
    ] = False,
) -> None:
    """Copy a public version to another place; files that are already there are skipped.

    Example: asco release push 2014 1.0.0 --to s3://public-data/asco
    """
    folder = _store(wave).releases / version
    if not demonstration:
        require_real_data(folder)
    if not portal:
        pushed = push_to_store(folder, to)
    else:
        secret = Settings.from_environment().portal_key
        if secret is None:
            raise ConfigurationError("ASCO_PORTAL_KEY is not set", remedy="Set it to the portal's API key")
        pushed = push_to_portal(folder, to, secret)
    typer.echo(f"{wave} {version}: {len(pushed.sent)} files sent, {len(pushed.there)} already there")
    for copy in pushed.removed:
        typer.echo(f"removed a duplicate: {copy}")


@release.command()
def key() -> None:
    """Print the public key for asco verify --public-key.

    Example: asco release key > asco.pem
    """
    typer.echo(public_key(home()[1]), nl=False)


def _say(wave: str, published: "Published") -> None:
    if published.sealed_until is not None:
        instant = published.sealed_until.astimezone(embargo.PARIS).isoformat()
        typer.echo(f"{wave} {published.version} approved; asco up publishes it at {instant}")
        return
    word = "published" if published.is_new else "was already public"
    typer.echo(f"{wave} {published.version} {word}: {published.folder}")


@contextmanager
def _held(wave: str, command: str) -> Iterator[ReleaseStore]:
    """The versions of a wave; with a shared store they are owned and downloaded, and uploaded afterwards."""
    store = _store(wave)
    with hold(*home(), wave, command) as held:
        yield store
        if held is not None:
            held.upload_releases()


def _store(wave: str) -> ReleaseStore:
    load_wave(wave)
    return ReleaseStore.of(home()[1], wave)


def _instant(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"“{text}” is not a date and time", expected="for example 2027-02-21T08:45:00+01:00"
        ) from error
