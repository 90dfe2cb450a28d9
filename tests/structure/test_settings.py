"""Settings: declared once, and what is unknown or weak is refused by name."""

import stat
from pathlib import Path

import pytest

from asco_dagster.errors import ConfigurationError
from asco_dagster.places import Places
from asco_dagster.settings import Settings


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
