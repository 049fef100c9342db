"""Which failed requests are sent again: not documented by the service, so one named policy."""

from enum import Enum
from typing import Final

from planner.profiling.http1 import Failure


class RetryPolicy(Enum):
    """Which failures InvocationsMaxRetries is about. Neither the statuses nor a pause between tries are documented."""

    SERVER_FAULTS = "5xx, time-outs and lost connections; a 4xx is about the request and would come again"
    EVERY_FAILURE = "every request without a 2xx answer"


RETRY_POLICY: Final = RetryPolicy.SERVER_FAULTS
"""The policy. A retry goes out at once, on the same connection slot, with the same body."""


def is_retried(failure: Failure, policy: RetryPolicy = RETRY_POLICY) -> bool:
    """Whether a request that failed so is sent again while tries are left."""
    if policy is RetryPolicy.EVERY_FAILURE:
        return True
    return failure.kind != "status" or (failure.status or 0) >= 500
