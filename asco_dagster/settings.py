"""The settings: every ``ASCO_…`` variable of the environment, declared once.

An unknown ``ASCO_…`` variable is an error: a misspelt setting that is silently ignored has sent more than one
pipeline to the wrong place.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from platformdirs import user_data_path

from asco_dagster.errors import ConfigurationError
from asco_dagster.installation import CHECKOUT, IN_CHECKOUT

HOME_FILE = "home.json"
"""File that marks a home (``storage/home.py``)."""
SHORTEST_KEY = 32
SHORTEST_LEASE = 5.0
LOG_FORMATS = ("text", "json")
_MEMORY = re.compile(r"[1-9]\d*(?:\.\d+)? ?(?:MB|GB|MiB|GiB)")
_KEYS = ("ASCO_PSEUDONYM_KEY", "ASCO_DATABASE_KEY", "ASCO_UI_TOKEN")
_NEEDED = {
    # pseudonyms of one wave must not depend on the worker; the embedded server and the home are one machine's
    "ASCO_STORE": ("ASCO_PSEUDONYM_KEY",),
    "ASCO_BROKER_URL": ("ASCO_STORE", "ASCO_POSTGRES_URL"),
}
_TOGETHER = (
    ("ASCO_LIMESURVEY_URL", "ASCO_LIMESURVEY_USER", "ASCO_LIMESURVEY_PASSWORD"),
    ("ASCO_SMTP_URL", "ASCO_MAIL_FROM", "ASCO_MAIL_TO"),
)


@dataclass(frozen=True)
class Settings:
    """The environment of one process.

    Attributes:
        home: folder of everything that is written (``ASCO_HOME``; by default the home of ``DAGSTER_HOME``, if
            that is in one, else ``var/`` of the checkout, else the platform's folder for a user's data).
        postgres_url: storage of Dagster (``ASCO_POSTGRES_URL``); None means the embedded server.
        pseudonym_key: key of the units' pseudonyms (``ASCO_PSEUDONYM_KEY``); None means the key file of the
            home, created on first use.
        database_key: key that encrypts the waves' databases at rest (``ASCO_DATABASE_KEY``); with
            None they are protected by file permissions only.
        quality_url: address of the quality pages, for links (``ASCO_QUALITY_URL``, up to and with
            ``/quality``); ``asco up`` sets it.
        ui_url: address of Dagster's pages, for the links of messages (``ASCO_UI_URL``); ``asco up`` sets it.
        ui_token: token of the pages of ``asco up`` (``ASCO_UI_TOKEN``), for a proxy, a script or a collector
            that must know it beforehand; None means a new one at each start, which is printed.
        limesurvey_url: RemoteControl address of the LimeSurvey server (``ASCO_LIMESURVEY_URL``), with
        limesurvey_user: its user (``ASCO_LIMESURVEY_USER``) and
        limesurvey_password: the password (``ASCO_LIMESURVEY_PASSWORD``); all three or none.
        webhook_url: receives a JSON message when a run fails or a gate closes (``ASCO_WEBHOOK_URL``).
        smtp_url: mail server for the same messages (``ASCO_SMTP_URL``: ``smtp://`` or ``smtps://``, with user
            and password if it wants them), with
        mail_from: the sender (``ASCO_MAIL_FROM``) and
        mail_to: the receivers, with commas between (``ASCO_MAIL_TO``); all three or none.
        log_format: ``text`` or ``json``, one object a line (``ASCO_LOG_FORMAT``).
        memory: what DuckDB may hold in memory before it spills into the wave's folder (``ASCO_MEMORY``,
            default ``1GiB``); a wave at true size needs less.
        waves: folder of the wave files and, in ``questionnaires/``, of versions of the questionnaire
            (``ASCO_WAVES``); None means those that ship with the code.
        portal_key: key of the data portal's API (``ASCO_PORTAL_KEY``), for ``asco release push``.
        store: S3-compatible store that machines share (``ASCO_STORE``: ``s3://bucket/folder``; endpoint
            and keys from fsspec's or AWS' own environment); None means this home alone.
        lease: seconds after which a wave whose worker no longer renews its ownership may be taken
            over (``ASCO_LEASE``).
        broker_url: Redis between the machines that run waves (``ASCO_BROKER_URL``: ``redis://`` or
            ``rediss://``); None means that runs start on the machine of ``asco up``.
        openlineage_url: collector of OpenLineage events (``OPENLINEAGE_URL``, its standard name); None sends
            none.
        inbox: deliveries of the one wave that runs, when they are not in the home (``asco run --inbox``).
    """

    home: Path
    postgres_url: str | None = field(default=None, repr=False)  # it may hold a password
    pseudonym_key: str | None = field(default=None, repr=False)
    database_key: str | None = field(default=None, repr=False)
    quality_url: str | None = None
    ui_url: str | None = None
    ui_token: str | None = field(default=None, repr=False)
    limesurvey_url: str | None = None
    limesurvey_user: str | None = field(default=None, repr=False)
    limesurvey_password: str | None = field(default=None, repr=False)
    webhook_url: str | None = field(default=None, repr=False)  # many services put the secret into the path
    smtp_url: str | None = field(default=None, repr=False)
    mail_from: str | None = None
    mail_to: str | None = None
    log_format: str = "text"
    memory: str = "1GiB"
    waves: Path | None = None
    portal_key: str | None = field(default=None, repr=False)
    store: str | None = None
    lease: float = 90.0
    broker_url: str | None = field(default=None, repr=False)  # it may hold a password
    openlineage_url: str | None = None
    inbox: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings.

        Raises:
            ConfigurationError: an ``ASCO_…`` variable that is not declared, or one that cannot be right.
        """
        environ = os.environ if environ is None else environ
        unknown = sorted(name for name in environ if name.startswith("ASCO_") and name not in DECLARED)
        if unknown:
            raise ConfigurationError(
                f"unknown setting {', '.join(unknown)} in the environment",
                expected=f"only {', '.join(sorted(DECLARED))}",
                remedy="Correct its name or unset it",
            )
        _check(environ)
        given = {field: environ[name] for name, field in DECLARED.items() if environ.get(name)}
        paths = {name: _path(given.pop(name)) for name in ("home", "waves") if name in given}
        lease = {"lease": float(given.pop("lease"))} if "lease" in given else {}
        return cls(**{"home": _usual_home(environ), **given, **paths, **lease})  # type: ignore[arg-type]

    def as_environment(self) -> dict[str, str]:
        """The variables that give another process these settings."""
        values = {name: getattr(self, field) for name, field in DECLARED.items()}
        return {name: str(value) for name, value in values.items() if value is not None}

    def secrets(self) -> list[str]:
        """What no log, message, page or file may contain; the longest first."""
        values = {getattr(self, declared.name) for declared in fields(self) if not declared.repr}
        return sorted(filter(None, values), key=len, reverse=True)


DECLARED = {f"ASCO_{one.name.upper()}": one.name for one in fields(Settings) if one.name != "inbox"}
DECLARED["OPENLINEAGE_URL"] = DECLARED.pop("ASCO_OPENLINEAGE_URL")  # a standard's name
"""Every variable, and the attribute that it sets."""


def _usual_home(environ: Mapping[str, str]) -> Path:
    """The default home: that of Dagster's instance if in one, else the checkout's or the user's."""
    around = _path(environ["DAGSTER_HOME"]).resolve().parent if environ.get("DAGSTER_HOME") else None
    if around is not None and (around / HOME_FILE).is_file():
        return around
    return CHECKOUT / "var" if IN_CHECKOUT else user_data_path("asco", appauthor=False)


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _check(environ: Mapping[str, str]) -> None:
    for name in _KEYS:
        length = len(environ.get(name, "").strip().encode())
        # an empty one would silently mean another key, or none: a secret that did not reach the process
        if name in environ and length < SHORTEST_KEY:
            raise ConfigurationError(
                f"{name} has {length} bytes" if length else f"{name} is empty",
                expected=f"at least {SHORTEST_KEY} bytes",
                remedy="Set a longer secret, or unset it",
            )
    for names in _TOGETHER:
        given = [name for name in names if environ.get(name)]
        if given and len(given) < len(names):
            raise ConfigurationError(
                f"{', '.join(given)} is set without {', '.join(sorted(set(names) - set(given)))}",
                expected="all three or none",
                remedy="Set the others, or unset it",
            )
    for name, needed in _NEEDED.items():
        missing = [other for other in needed if not environ.get(other)]
        if environ.get(name) and missing:
            raise ConfigurationError(
                f"{name} is set without {', '.join(missing)}",
                expected="the same on every machine",
                remedy=f"Set it, or unset {name}",
            )
    waves = environ.get("ASCO_WAVES")
    if waves and not _path(waves).is_dir():
        raise ConfigurationError(
            f"ASCO_WAVES names {waves}, which is not a folder",
            remedy="Correct it, or unset it to use the waves of the code",
        )
    for name, (holds, expected) in _FORMS.items():
        value = environ.get(name)
        if value and not holds(value):
            # an address may hold a password
            shown = f"{name} is not valid" if name.endswith("_URL") else f"{name} is “{value}”"
            raise ConfigurationError(shown, expected=expected)


def _is_lease(text: str) -> bool:
    try:
        return float(text) >= SHORTEST_LEASE
    except ValueError:
        return False


_FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "ASCO_LOG_FORMAT": (LOG_FORMATS.__contains__, " or ".join(LOG_FORMATS)),
    "ASCO_MEMORY": (_MEMORY.fullmatch, "an amount such as 1GiB or 800MiB"),
    "ASCO_BROKER_URL": (
        lambda text: text.startswith(("redis://", "rediss://")),
        "the address of a Redis server, such as rediss://user:password@host:6379/0",
    ),
    "ASCO_LEASE": (_is_lease, f"seconds, at least {SHORTEST_LEASE:.0f}"),
}
