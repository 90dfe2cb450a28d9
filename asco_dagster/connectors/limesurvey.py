"""Responses of a LimeSurvey server, through its RemoteControl 2 interface and the ``citric`` client.

The export stays in memory, since it contains contact details; no message contains the credentials.
"""

import contextlib
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from asco_dagster.connectors.addresses import is_loopback, shown
from asco_dagster.errors import ConfigurationError, SourceError
from asco_dagster.settings import Settings

if TYPE_CHECKING:
    import requests

ATTEMPTS = 3
FIRST_WAIT = 0.5
TIMEOUT = (10, 300)
"""Seconds to connect, and between two bytes: the server needs time to export ten thousand responses."""

LARGEST, LONGEST = 2 * 1024**3, 3600.0
"""Limits of an answer: bytes, uncompressed, and seconds."""

_REFUSED = {
    "Invalid user name or password": "user name or password is wrong",
    "Invalid session key": "the session ended early",
    "No permission": "this user may not export the responses",
    "Error: Invalid survey ID": "there is no such survey",
    "No Data, survey table does not exist.": "the survey was never activated",
    "No Data, could not get max id.": "the survey has no response yet",
}


def export_responses(survey: int, settings: Settings) -> bytes:
    """Export every response of a survey, complete or not.

    Returns:
        LimeSurvey's CSV: question codes as headings, answer codes.

    Raises:
        ConfigurationError: no server is set, or its address is not valid.
        SourceError: the server refuses, cannot be reached, or does not speak RemoteControl.
    """
    import requests
    import tenacity

    url, user, password = settings.limesurvey_url, settings.limesurvey_user, settings.limesurvey_password
    if url is None or user is None or password is None:
        raise ConfigurationError(
            f"survey {survey} is on a LimeSurvey server, but no server is set",
            expected="ASCO_LIMESURVEY_URL, ASCO_LIMESURVEY_USER and ASCO_LIMESURVEY_PASSWORD",
            remedy="Set them in the environment of the run",
        )
    _require_encrypted(url)
    transient = (requests.exceptions.ConnectionError, requests.exceptions.Timeout)
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential_jitter(multiplier=FIRST_WAIT, max=30),
        retry=tenacity.retry_if_exception_type(transient),
        reraise=True,
    )
    fault: Exception | None = None
    try:
        content: bytes = retrying(_export, url, user, password, survey)
    # Handled below, outside: a chained error could show address and password.
    except Exception as raised:
        fault = raised
    if fault is not None:
        raise _error(fault, survey, url) from None
    return content


def _require_encrypted(url: str) -> None:
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and is_loopback(parts.hostname or "")
    if (parts.scheme != "https" and not loopback) or not parts.hostname:
        raise ConfigurationError(
            f"ASCO_LIMESURVEY_URL “{shown(url)}” is not valid",
            expected="https://…/index.php/admin/remotecontrol",
            remedy="Correct the setting",
        )


def _export(url: str, user: str, password: str, survey: int) -> bytes:
    from citric import Client

    with Client(url, user, password, requests_session=_session()) as client:
        return client.export_responses(
            survey, file_format="csv", completion_status="all", heading_type="code", response_type="short"
        )


def _session() -> "requests.Session":
    """A session with limits of size and time that follows no redirect, which could disclose the password."""
    import requests

    class _Bounded(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            kwargs.setdefault("timeout", TIMEOUT)
            answer = super().request(*args, **{**kwargs, "allow_redirects": False, "stream": True})
            with contextlib.closing(answer):
                answer._content = _read(answer)  # where requests stores it
            return answer

    return _Bounded()


def _read(answer: "requests.Response") -> bytes:
    """The uncompressed body of an answer, within the limits."""
    import requests
    import urllib3

    end, pieces, size = time.monotonic() + LONGEST, [], 0
    while True:
        try:
            # what has arrived, not a whole piece, which could come byte by byte for days
            piece = answer.raw.read1(65_536, decode_content=True)
        except urllib3.exceptions.HTTPError as error:
            raise requests.exceptions.ConnectionError(error) from error
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise _LimitError(f"it is larger than {LARGEST} bytes")
        if time.monotonic() > end:
            raise _LimitError(f"it did not end within {LONGEST:.0f} seconds")
    return b"".join(pieces)


class _LimitError(Exception):
    """An answer that is too large or too slow."""


def _error(fault: Exception, survey: int, url: str) -> SourceError:
    """The error to report: without the fault's text, except known messages of LimeSurvey."""
    from citric.exceptions import LimeSurveyError
    from requests.exceptions import HTTPError, RequestException

    status = getattr(getattr(fault, "response", None), "status_code", None)
    if isinstance(fault, LimeSurveyError):
        reason = next((why for text, why in _REFUSED.items() if text in str(fault)), type(fault).__name__)
        what = f"the server refuses: {reason}"
    elif isinstance(fault, HTTPError):
        what = f"the server answered {status}"
    elif isinstance(fault, _LimitError):
        what = f"its answer is refused: {fault}"
    elif isinstance(fault, RequestException):
        what = f"the connection broke ({type(fault).__name__})"
    else:
        what = f"the answer is not RemoteControl's ({type(fault).__name__})"
    return SourceError(
        f"the responses of survey {survey} could not be exported from “{shown(url)}”: {what}",
        expected="LimeSurvey with its JSON-RPC interface enabled",
        remedy="check address, user, permissions and survey id, or deliver the export as a CSV file",
    )
