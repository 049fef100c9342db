"""Pages of a sorted, filtered list, as the List operations hand them out."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from planner.documents import Json
from planner.jobs.endpoint.refusal import VALIDATION, Refusal

T = TypeVar("T")
SortKey = tuple[str | float, str]
"""What a list is sorted by, and the name, which makes it total."""

DEFAULT_PAGE: Final = 10
"""MaxResults when it is not given. Source: ListTransformJobs API reference."""
_NOT_THE_QUESTION: Final = frozenset({"NextToken", "MaxResults"})


class Page(NamedTuple):
    """Some items of a list, and the token for the next ones."""

    items: Sequence[Json]
    next_token: str | None


def page(
    items: Sequence[T],
    asked: Mapping[str, Json],
    *,
    sort_keys: Mapping[str, Callable[[T], SortKey]],
    shown: Callable[[T], Json],
) -> Page:
    """The next page of the items, sorted by asked SortBy (CreationTime) and SortOrder (Descending).

    A token says behind which item the next page begins, so that items that come meanwhile neither repeat nor hide
    others; and which question it belongs to. Raises Refusal for a token of another question, or none of ours.
    """
    key = sort_keys[asked.get("SortBy", "CreationTime")]
    descending = asked.get("SortOrder", "Descending") == "Descending"
    ordered = sorted(items, key=key, reverse=descending)
    question = _digest(asked)
    if (token := asked.get("NextToken")) is not None:
        last = _read(token, question)
        ordered = [item for item in ordered if (key(item) < last if descending else key(item) > last)]
    most = asked.get("MaxResults", DEFAULT_PAGE)
    chosen = ordered[:most]
    next_token = _token(key(chosen[-1]), question) if len(ordered) > most else None
    return Page([shown(item) for item in chosen], next_token)


def _digest(asked: Mapping[str, Json]) -> str:
    question = {name: value for name, value in asked.items() if name not in _NOT_THE_QUESTION}
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:16]


def _token(last: SortKey, question: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([question, *last]).encode()).decode()


def _read(token: str, question: str) -> SortKey:
    try:
        match json.loads(base64.urlsafe_b64decode(token.encode())):
            case [asked, (str() | int() | float()) as value, str() as name] if asked == question:
                return value, name
    except (ValueError, binascii.Error):
        pass
    raise Refusal(VALIDATION, "The token is invalid: it is of another request, or was changed.")
