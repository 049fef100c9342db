"""Instances that share one machine with each other and with the runner: how that stretches their work."""

import numpy as np

from planner.documents import Value
from planner.planning.space import Floats


class SideBySide(Value, frozen=True, kw_only=True):
    """What stand-ins for the container did on this machine, under the profile's load and under the runner."""

    instances: int
    cpus: float
    """Of each."""
    profiled_requests_per_s: float
    """Of one alone under the load generator that profiles are taken with."""
    alone_requests_per_s: float
    """Of one alone under the runner."""
    together_requests_per_s: float
    """Of one of them under the runner, while all are at work."""
    client_cpu_s_per_request: float
    """CPU seconds of the runner itself for a request."""
    requests: int
    """So many, of all together."""
    keeps_connections: bool
    """Whether the stand-ins kept connections open after an answer; opening another costs both sides CPU time."""

    @property
    def slowdown(self) -> float:
        """Time of a request while all instances are at work, in units of what it took in the profile; at least 1."""
        return max(1.0, self.profiled_requests_per_s / self.together_requests_per_s)

    def slowdowns(self) -> tuple[float, ...]:
        """The slowdown while 1 .. n instances are at work.

        Measured for 1 and n. Between them, what the instances are short of, CPU time or the runner's attention, is
        divided among fewer as some end: in proportion to their number, until each is as fast as one alone.
        """
        alone = min(self.slowdown, max(1.0, self.profiled_requests_per_s / self.alone_requests_per_s))
        shares = (self.slowdown * at_work / self.instances for at_work in range(2, self.instances))
        return (alone, *(max(alone, share) for share in shares), self.slowdown)[-self.instances :]


def stretched(end_s: Floats, slowdowns: tuple[float, ...]) -> Floats:
    """(worlds, n) real ends of instances that would end at these times if nothing slowed them.

    With e_1 <= .. <= e_n sorted, the j-th gap between ends is passed by n + 1 - j instances, each so much slower.
    """
    count = end_s.shape[1]
    order = np.argsort(end_s, axis=1)
    gaps = np.diff(np.take_along_axis(end_s, order, axis=1), axis=1, prepend=0.0)
    real = np.cumsum(gaps * np.array(slowdowns[:count][::-1]), axis=1)
    back = np.empty_like(real)
    np.put_along_axis(back, order, real, axis=1)
    return back
