"""Degrades when overloaded: each request past three in progress makes all of them do more work, as thrashing does."""

import threading

from serving import Records, burn, serve_threads

ACTIVE = 0
COUNT = threading.Lock()


def answer(records: Records) -> Records:
    global ACTIVE  # noqa: PLW0603 - the server's state is the point
    with COUNT:
        ACTIVE += 1
    try:
        return [burn(record, 30 + 6 * max(0, ACTIVE - 3)) for record in records]
    finally:
        with COUNT:
            ACTIVE -= 1


serve_threads(answer)
