"""``asco release``: publish a sealed version, take one back, push one elsewhere; by ``publication``."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from asco_dagster.errors import ConfigurationError

if TYPE_CHECKING:
    from asco_dagster.releases.signature import Sign
    from asco_dagster.releases.store import ReleaseStore

release = typer.Typer(
    name="release",
    help="The versions of a wave: publish, withdraw, push, and the key that signs them.",
    no_args_is_help=True,
)

WaveName = Annotated[str, typer.Argument(metavar="WAVE", help="The wave, for example 2014.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="The version, for example 1.0.0.")]


@release.command()
def publish(
    wave: WaveName,
    version: Version,
    when: Annotated[
        str | None, typer.Option(help="Not now but at this instant, for example 2027-02-21T08:45:00+01:00.")
    ] = None,
) -> None:
    """Publish the sealed version now, once its embargo has ended, or plan the instant of it."""
    from asco_dagster.releases import embargo
    from asco_dagster.releases.release import publish_sealed

    with _held(wave, "asco release publish") as store:
        if when is not None:
            instant = _instant(when)
            embargo.plan(store, version, instant)
            if instant > dt.datetime.now(dt.UTC):
                typer.echo(f"{wave} {version} is to be published at {instant.isoformat()} (asco up does it)")
                return
        published = publish_sealed(store, version, _signer())
    typer.echo(
        f"{wave} {version} {'is public' if published.is_new else 'was public already'}: {published.folder}"
    )


@release.command()
def withdraw(
    wave: WaveName, version: Version, reason: Annotated[str, typer.Option(help="Why; the tombstone says it.")]
) -> None:
    """Take a version back: a tombstone with the reason stands in its place, and latest moves away from it."""
    from asco_dagster.releases.store import latest_release
    from asco_dagster.releases.withdrawal import withdraw as take_back

    with _held(wave, "asco release withdraw") as store:
        take_back(store, version, reason)
    latest = latest_release(store.releases)
    typer.echo(f"{wave} {version} is withdrawn; latest is {latest.name if latest else 'no version'}")


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
) -> None:
    """Copy a public version elsewhere; what is there already is not sent again."""
    from asco_dagster.publication.destinations import push_to_store
    from asco_dagster.publication.portals import push_to_portal
    from asco_dagster.settings import Settings

    folder = _shelf(wave).releases / version
    if not portal:
        pushed = push_to_store(folder, to)
    else:
        secret = Settings.from_environment().portal_key
        if secret is None:
            raise ConfigurationError("no key of the portal is given", remedy="Set ASCO_PORTAL_KEY")
        pushed = push_to_portal(folder, to, secret)
    typer.echo(f"{wave} {version}: {len(pushed.sent)} files sent, {len(pushed.there)} were there")
    for copy in pushed.removed:
        typer.echo(f"removed an exact copy of one of them: {copy}")


@release.command()
def key() -> None:
    """Print the public key with which others verify what this home published (asco verify --public-key)."""
    from asco_dagster.releases.signature import public_key
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    typer.echo(public_key(Places.of(Settings.from_environment())), nl=False)


def _signer() -> "Sign | None":
    from asco_dagster.releases.signature import signer
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places

    settings = Settings.from_environment()
    return signer(settings, Places.of(settings))


@contextmanager
def _held(wave: str, command: str) -> Iterator["ReleaseStore"]:
    """The store of a wave; with a store it is owned and brought before, and stored behind."""
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.storage.shared_store.held import hold

    store, settings = _shelf(wave), Settings.from_environment()
    with hold(settings, Places.of(settings), wave, command) as held:
        yield store
        if held is not None:
            held.keep_shelf()


def _shelf(wave: str) -> "ReleaseStore":
    from asco_dagster.releases.store import ReleaseStore
    from asco_dagster.settings import Settings
    from asco_dagster.storage.places import Places
    from asco_dagster.waves import load_wave

    load_wave(wave)
    return ReleaseStore.of(Places.of(Settings.from_environment()), wave)


def _instant(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"“{text}” is no instant", expected="an instant such as 2027-02-21T08:45:00+01:00"
        ) from error
