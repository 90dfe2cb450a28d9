"""The folders and files below ``ASCO_HOME`` and their permissions; no other file joins these paths.

Working databases, quarantine, keys and Dagster's state are confidential (0700/0600); releases are public.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path

from asco_dagster.durable import PUBLIC, make_folder
from asco_dagster.settings import Settings
from asco_dagster.storage.keys import create_key, read_key


@dataclass(frozen=True)
class Places:
    """The folders and files of one home.

    Attributes:
        home: the root, ``ASCO_HOME``.
        other_inbox: deliveries of the current run, if not in the home (``asco run --inbox``).
        shared: whether the inbox is a copy of the shared store's (``ASCO_STORE``).
    """

    home: Path
    other_inbox: Path | None = None
    shared: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Places":
        """The places of these settings."""
        return cls(settings.home, settings.inbox, settings.store is not None)

    def inbox(self, wave: str) -> Path:
        """Deliveries of a wave, read-only to the pipeline."""
        if self.shared and self.other_inbox is None:
            return self._confidential(self.home / "store" / "inbox" / wave)
        return self.other_inbox or self.home / "inbox" / wave

    def downloads(self, wave: str) -> Path:
        """Files downloaded from an address; returns are deleted at the end of their step."""
        return self._confidential(self.home / "downloads" / wave)

    def wave(self, wave: str) -> Path:
        """The confidential working folder of a wave."""
        return self._confidential(self.home / "waves" / wave)

    def database(self, wave: str) -> Path:
        """The wave's working database; its stem names DuckDB's catalogue, the same for every wave."""
        return self.wave(wave) / "asco.duckdb"

    def readable(self, wave: str) -> Path:
        """Copy of the wave's database after its last run, to read during the next one."""
        return self._confidential(self.home / "readable" / wave) / "asco.duckdb"

    def quarantine(self, wave: str) -> Path:
        """Refusals with their reasons; the returns themselves remain in the inbox."""
        return self._confidential(self.home / "quarantine" / wave)

    def releases(self, wave: str) -> Path:
        """Published, immutable versions of a wave."""
        return self.home / "releases" / wave

    def sealed(self, wave: str) -> Path:
        """The version of a wave that waits for its day or an approval, and who approved which."""
        return self._confidential(self.home / "sealed" / wave)

    def withdrawn(self, wave: str) -> Path:
        """Withdrawn versions of a wave; the public folder keeps a tombstone with the reason."""
        return self._confidential(self.home / "withdrawn" / wave)

    def gates(self, wave: str) -> Path:
        """Results of the gates, one file per asset; confidential, since they name offending rows."""
        return self._confidential(self.home / "waves" / wave / "gates")

    def quality(self, wave: str) -> Path:
        """Quality pages of a wave, served by ``asco up``."""
        return self._confidential(self.home / "quality" / wave)

    @property
    def dagster_home(self) -> Path:
        """DAGSTER_HOME: instance configuration, logs of the steps."""
        return self._confidential(self.home / "dagster")

    @property
    def store(self) -> Path:
        """Which waves are copies of the shared store's, and the copied inbox."""
        return self._confidential(self.home / "store")

    @property
    def records(self) -> Path:
        """Records of what cannot be undone: purges, rotated keys, restorations."""
        return self._confidential(self.home / "records")

    @property
    def keys(self) -> Path:
        """Keys of the home, one file each."""
        return self._confidential(self.home / "keys")

    @property
    def postgres(self) -> Path:
        """Data folder of the embedded PostgreSQL, which creates it."""
        return self.home / "postgres"

    @property
    def dbt(self) -> Path:
        """Prebuilt dbt manifests and run artefacts."""
        return self._confidential(self.home / "dbt")

    @property
    def demonstration(self) -> Path:
        """True values behind the demonstration's deliveries, for tests only."""
        return self._confidential(self.home / "demonstration")

    def pseudonym_key(self, settings: Settings) -> bytes:
        """Key of the units' pseudonyms: that of the settings, else that of the home, created on first use.

        Raises:
            ConfigurationError: the key of the home is short, or others may read or replace it.
        """
        if settings.pseudonym_key is not None:
            return settings.pseudonym_key.encode()
        path = self.keys / "pseudonym.key"
        if not path.exists() and not path.is_symlink():
            create_key(path, secrets.token_hex(32).encode())
        return read_key(path)

    def _confidential(self, folder: Path) -> Path:
        """Create a private folder, and private folders between it and the home."""
        make_folder(self.home, PUBLIC)  # the releases in it are public
        return make_folder(folder)
