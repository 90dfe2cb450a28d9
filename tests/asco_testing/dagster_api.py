"""Questions to Dagster's webserver, in GraphQL. What does not belong here: the questions."""

import json
import urllib.request
from typing import Any

TOKEN = "the-token-of-the-pages-of-every-test-0123456789"
"""What ``asco up`` is given as ``ASCO_UI_TOKEN``, so that programs know it beforehand."""


def open_with_token(address: str, patience: float = 60.0) -> bytes:
    """What a page of ``asco up`` answers to a program that shows the token."""
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=patience) as answer:
        return bytes(answer.read())


def ask(base: str, query: str, patience: float = 60.0) -> dict[str, Any]:
    """What the pages at an address answer to a query or a mutation.

    Args:
        base: where they are served, without a slash at its end.
        query: the question.
        patience: seconds after which an answer is no longer waited for.
    """
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    request = urllib.request.Request(f"{base}/graphql", json.dumps({"query": query}).encode(), headers)
    with urllib.request.urlopen(request, timeout=patience) as answer:
        told: dict[str, Any] = json.load(answer)["data"]
    return told
