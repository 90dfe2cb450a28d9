"""A dataset of a data portal: the session with its key, and its answers without that key."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asco_dagster.errors import ReleaseError

FORMS = (
    "https://<portal>/api/1/datasets/<id>/ (udata, as data.gouv.fr) or "
    "https://<portal>/api/automation/v1.0/datasets/<uid>/ (Opendatasoft)"
)
_SILENCE = 60  # seconds without an answer after which a portal counts as gone
_CHUNK = 1024 * 1024
_NOT_DONE = 300  # HTTP statuses from here on: elsewhere, refused, failed


class Portal:
    """A dataset of a portal: asks with the key; its errors hold neither address nor key.

    Args:
        dataset: API address of the dataset.
        header: the header that carries the key.
    """

    def __init__(self, dataset: str, header: Mapping[str, str]) -> None:
        import requests

        self._dataset = dataset.rstrip("/")
        self._session = requests.Session()
        self._session.headers.update(header)

    def __enter__(self) -> "Portal":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._session.close()

    def ask(self, method: str, place: str, **what: Any) -> dict[str, Any]:
        """The JSON that the portal answers, empty where it answers nothing.

        Args:
            method: HTTP method.
            place: below the dataset's address, empty for the dataset itself.
            what: arguments of ``requests``: ``json``, ``files``, ``params``.

        Raises:
            ReleaseError: it refuses, cannot be reached, or answers no JSON.
        """
        response = self._answer(method, place, **what)
        if not response.content:
            return {}
        try:
            return dict(response.json())
        except (TypeError, ValueError):
            raise ReleaseError(
                "the portal's answer is no JSON object",
                expected=FORMS,
                remedy="Look at the dataset's address",
            ) from None

    def send(self, method: str, place: str, name: str, path: Path) -> dict[str, Any]:
        """Send a file under a name, as a form's field ``file``; the portal's answer."""
        with path.open("rb") as handle:
            return self.ask(method, place, files={"file": (name, handle)})

    def sum(self, place: str) -> str:
        """The sha256 of a file that the portal holds."""
        import requests

        digest = hashlib.sha256()
        with self._answer("GET", place, stream=True) as response:
            try:
                for chunk in response.iter_content(_CHUNK):
                    digest.update(chunk)
            except requests.RequestException as error:
                raise _unreachable(error) from None
        return digest.hexdigest()

    def _answer(self, method: str, place: str, **what: Any) -> Any:
        import requests

        try:
            # a redirection is not followed: it would carry the key to whoever it names
            response = self._session.request(
                method, f"{self._dataset}/{place}", timeout=_SILENCE, allow_redirects=False, **what
            )
        except requests.RequestException as error:
            raise _unreachable(error) from None
        if response.status_code >= _NOT_DONE:
            raise ReleaseError(
                f"the portal answered {response.status_code}",
                remedy="Look at the dataset's address and at ASCO_PORTAL_KEY, then push again; a portal that "
                "is still at work takes it later",
            )
        return response


def _unreachable(error: Exception) -> ReleaseError:
    return ReleaseError(
        f"the portal cannot be reached ({type(error).__name__})",
        remedy="Push again later: what was sent is not sent again",
    )
