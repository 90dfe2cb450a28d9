"""Settings: declared once, and what is unknown or weak is refused by name."""

import stat
from pathlib import Path

import pytest

from asco_dagster.errors import ConfigurationError
from asco_dagster.settings import Settings
from asco_dagster.storage.places import Places


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="ASCO_HOEM"):
        Settings.from_environment({"ASCO_HOEM": "elsewhere"})


def test_a_short_key_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({"ASCO_PSEUDONYM_KEY": "tooshort"})
    assert "tooshort" not in str(caught.value)


def test_secrets_are_not_in_the_representation() -> None:
    settings = Settings.from_environment(
        {"ASCO_PSEUDONYM_KEY": "k" * 40, "ASCO_POSTGRES_URL": "postgresql://a:hidden@localhost/b"}
    )
    assert "kkk" not in repr(settings)
    assert "hidden" not in repr(settings)


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    places = Places.of(settings)
    first = places.pseudonym_key(settings)
    assert places.pseudonym_key(settings) == first
    key = tmp_path / "keys" / "pseudonym.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def test_confidential_folders_are_closed_to_others(tmp_path: Path) -> None:
    places = Places(tmp_path)
    for folder in (places.wave("2014"), places.quarantine("2014"), places.gates("2014")):
        for part in (folder, folder.parent):
            assert stat.S_IMODE(part.stat().st_mode) == 0o700


SHARED = {
    "ASCO_STORE": "s3://office/asco",
    "ASCO_PSEUDONYM_KEY": "k" * 40,
    "ASCO_POSTGRES_URL": "postgresql://a:b@c/d",
    "ASCO_BROKER_URL": "rediss://user:hidden@host:6379/0",
}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ("ASCO_STORE", "ASCO_PSEUDONYM_KEY"),
        ("ASCO_BROKER_URL", "ASCO_STORE"),
        ("ASCO_BROKER_URL", "ASCO_POSTGRES_URL"),
    ],
)
def test_what_machines_share_is_demanded_whole(given: str, missing: str) -> None:
    told = {name: value for name, value in SHARED.items() if name != missing}
    if missing == "ASCO_PSEUDONYM_KEY":
        del told["ASCO_BROKER_URL"]
    with pytest.raises(ConfigurationError, match=f"{given} is set without {missing}") as caught:
        Settings.from_environment(told)
    assert "hidden" not in str(caught.value)
    settings = Settings.from_environment(SHARED)
    assert "hidden" not in repr(settings)
    assert Settings.from_environment(settings.as_environment()) == settings


@pytest.mark.parametrize("lease", ["4", "soon", "nan"])
def test_a_lease_that_cannot_be_kept_is_refused(lease: str) -> None:
    with pytest.raises(ConfigurationError, match="ASCO_LEASE"):
        Settings.from_environment({"ASCO_LEASE": lease})


def test_a_broker_that_is_no_redis_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="ASCO_BROKER_URL is not valid") as caught:
        Settings.from_environment({**SHARED, "ASCO_BROKER_URL": "amqp://user:hidden@host"})
    assert "hidden" not in str(caught.value)


def test_the_inbox_of_a_store_is_a_copy_and_never_the_offices(tmp_path: Path) -> None:
    shared = Places.of(Settings(home=tmp_path, store="s3://office/asco"))
    assert shared.inbox("2014") == tmp_path / "store" / "inbox" / "2014"
    assert Places.of(Settings(home=tmp_path)).inbox("2014") == tmp_path / "inbox" / "2014"
