"""Questions to Dagster's webserver, in GraphQL. What does not belong here: the questions."""

import json
import urllib.request
from typing import Any


def ask(base: str, query: str, patience: float = 60.0) -> dict[str, Any]:
    """What the pages at an address answer to a query or a mutation.

    Args:
        base: where they are served, without a slash at its end.
        query: the question.
        patience: seconds after which an answer is no longer waited for.
    """
    request = urllib.request.Request(
        f"{base}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=patience) as answer:
        told: dict[str, Any] = json.load(answer)["data"]
    return told
