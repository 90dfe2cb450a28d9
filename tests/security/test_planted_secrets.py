"""A run with every secret set: none is found in anything that it prints, writes or stores.

The run fails on purpose (nothing is delivered), since it is failures that quote.
"""

import os
import stat
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from asco_dagster.settings import DECLARED, Settings
from asco_dagster.storage.places import Places
from asco_testing.security.closed_home import require_closed

pytestmark = pytest.mark.slow

SECRETS = {
    "ASCO_PSEUDONYM_KEY": "planted-pseudonym-key-0123456789abcdef",
    "ASCO_DATABASE_KEY": "planted-database-key-0123456789abcdef",
    "ASCO_UI_TOKEN": "planted-ui-token-0123456789abcdefghijkl",
    "ASCO_LIMESURVEY_USER": "planted-limesurvey-user",
    "ASCO_LIMESURVEY_PASSWORD": "planted-limesurvey-password",
    "ASCO_PORTAL_KEY": "planted-portal-key",
    # nobody listens there, so that the message fails and its error is reported
    "ASCO_WEBHOOK_URL": "http://127.0.0.1:9/planted-webhook-token",
    "ASCO_SMTP_URL": "smtp://planted-user:planted-smtp-password@127.0.0.1:9",
}
OPEN = {
    "ASCO_LIMESURVEY_URL": "https://limesurvey.example/admin/remotecontrol",
    "ASCO_MAIL_FROM": "asco@office.example",
    "ASCO_MAIL_TO": "night@office.example",
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> tuple[Path, str]:
    """A home in which a run failed, and what it printed."""
    home = tmp_path_factory.mktemp("planted")
    done = subprocess.run(
        [sys.executable, "-m", "asco_dagster.cli.main", "run", "2014"],
        env={**os.environ, **SECRETS, **OPEN, "ASCO_HOME": str(home)},
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        umask=0,
    )
    assert done.returncode == 3, done.stdout
    assert "not found: " in done.stdout
    return home, done.stdout


def test_every_setting_with_a_secret_is_planted() -> None:
    hidden = {own.name for own in fields(Settings) if not own.repr}
    declared = {name for name, own in DECLARED.items() if own in hidden}
    # with tests of their own: test_postgres.py, tests/operations/services/workers/test_cluster.py
    assert declared - {"ASCO_POSTGRES_URL", "ASCO_BROKER_URL"} == set(SECRETS)


def test_no_secret_is_printed(ran: tuple[Path, str]) -> None:
    told = ran[1]
    assert "the notice on wave 2014 was not sent: webhook: ConnectionError; mail: " in told
    assert "planted" not in told.replace(str(ran[0]), "")


def test_no_secret_is_written_into_the_home_or_the_run_storage(ran: tuple[Path, str]) -> None:
    home = ran[0]
    words = [word for secret in SECRETS.values() for word in (secret, secret.split("/")[-1].split("@")[0])]
    words.append("planted-smtp-password")
    read = 0
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()  # PostgreSQL's files, logs, dbt's artefacts, databases
            read += 1
            assert not [word for word in words if word.encode() in content], path
    assert read > 100


def test_no_secret_is_in_the_representation_of_the_settings() -> None:
    settings = Settings.from_environment(
        {**SECRETS, **OPEN, "ASCO_POSTGRES_URL": "postgresql://u:planted@h/d"}
    )
    assert "planted" not in f"{settings!r} {settings}"
    assert len(settings.secrets()) == len(SECRETS) + 1


def test_a_home_is_closed_to_others(ran: tuple[Path, str]) -> None:
    require_closed(ran[0])


def test_permissions_hold_whatever_the_umask(tmp_path: Path) -> None:
    former = os.umask(0)
    try:
        places = Places(tmp_path / "home")
        places.pseudonym_key(Settings(home=places.home))
        for folder in (places.wave("2014"), places.quarantine("2014"), places.gates("2014"), places.records):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        os.umask(former)
    assert stat.S_IMODE((places.home / "keys" / "pseudonym.key").stat().st_mode) == 0o600
