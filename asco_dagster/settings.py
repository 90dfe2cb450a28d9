"""What the environment may say: every ``ASCO_…`` variable, declared once.

An unknown ``ASCO_…`` variable is an error that names it, since a misspelt setting that is silently ignored
has sent more than one pipeline to the wrong place. What does not belong here: what differs between waves
(``waves/<wave>.yaml``) and where files lie below the home (``places.py``).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asco_dagster.errors import ConfigurationError

CHECKOUT = Path(__file__).resolve().parent.parent
_LIMESURVEY = ("ASCO_LIMESURVEY_URL", "ASCO_LIMESURVEY_USER", "ASCO_LIMESURVEY_PASSWORD")
_DECLARED = {
    "ASCO_HOME",
    "ASCO_POSTGRES_URL",
    "ASCO_PORTAL_KEY",
    "ASCO_PSEUDONYM_KEY",
    "ASCO_QUALITY_URL",
    *_LIMESURVEY,
}


@dataclass(frozen=True)
class Settings:
    """The environment of one process.

    Attributes:
        home: everything that runs lives below it (``ASCO_HOME``, default ``var/`` beside the code).
        postgres_url: Dagster's storage (``ASCO_POSTGRES_URL``); None means the embedded server.
        pseudonym_key: key of the units' pseudonyms (``ASCO_PSEUDONYM_KEY``); None means the key file of the
            home, created on first use.
        quality_url: address at which ``asco up`` serves the quality pages (``ASCO_QUALITY_URL``); None
            outside ``asco up``.
        limesurvey_url: RemoteControl address of the LimeSurvey server (``ASCO_LIMESURVEY_URL``), with
        limesurvey_user: its user (``ASCO_LIMESURVEY_USER``) and
        limesurvey_password: the password (``ASCO_LIMESURVEY_PASSWORD``); all three or none.
        portal_key: key of the data portal's API (``ASCO_PORTAL_KEY``), for ``asco release push``.
        openlineage_url: collector of OpenLineage events (``OPENLINEAGE_URL``, its standard name); None sends
            none.
        inbox: deliveries of the one wave that runs, when they are not in the home (``asco run --inbox``).
    """

    home: Path
    postgres_url: str | None = field(default=None, repr=False)  # it may hold a password
    pseudonym_key: str | None = field(default=None, repr=False)
    quality_url: str | None = None
    limesurvey_url: str | None = None
    limesurvey_user: str | None = field(default=None, repr=False)
    limesurvey_password: str | None = field(default=None, repr=False)
    portal_key: str | None = field(default=None, repr=False)
    openlineage_url: str | None = None
    inbox: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings.

        Raises:
            ConfigurationError: an ``ASCO_…`` variable that is not declared, or one that cannot be right.
        """
        environ = os.environ if environ is None else environ
        unknown = sorted(name for name in environ if name.startswith("ASCO_") and name not in _DECLARED)
        if unknown:
            raise ConfigurationError(
                f"unknown setting {', '.join(unknown)} in the environment",
                expected=f"only {', '.join(sorted(_DECLARED))}",
                remedy="Correct its name or unset it",
            )
        key = environ.get("ASCO_PSEUDONYM_KEY") or None
        if key is not None and len(key) < 32:
            raise ConfigurationError(
                f"ASCO_PSEUDONYM_KEY has {len(key)} characters",
                expected="at least 32",
                remedy="Give a longer secret, or unset it to let a key be created in ASCO_HOME",
            )
        given = [name for name in _LIMESURVEY if environ.get(name)]
        if given and len(given) < len(_LIMESURVEY):
            raise ConfigurationError(
                f"{', '.join(given)} is given without {', '.join(set(_LIMESURVEY) - set(given))}",
                expected="all three or none",
                remedy="Give the others, or unset it",
            )
        return cls(
            home=Path(environ.get("ASCO_HOME") or CHECKOUT / "var").expanduser().absolute(),
            postgres_url=environ.get("ASCO_POSTGRES_URL") or None,
            pseudonym_key=key,
            quality_url=environ.get("ASCO_QUALITY_URL") or None,
            limesurvey_url=environ.get("ASCO_LIMESURVEY_URL") or None,
            limesurvey_user=environ.get("ASCO_LIMESURVEY_USER") or None,
            limesurvey_password=environ.get("ASCO_LIMESURVEY_PASSWORD") or None,
            openlineage_url=environ.get("OPENLINEAGE_URL") or None,
            portal_key=environ.get("ASCO_PORTAL_KEY") or None,
        )
