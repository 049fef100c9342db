"""Instances that share one machine with each other and with the runner: how that stretches their work."""

from typing import Literal, TypeAlias

import numpy as np

from planner.documents import Value
from planner.planning.space import Floats

Tried: TypeAlias = Literal["stand-ins", "containers"]
"""Servers that take the profile's CPU seconds and wait as long as its container does; the job's own containers."""


class SideBySide(Value, frozen=True, kw_only=True):
    """What containers, or stand-ins for them, did here under the runner, beside what the profile foretells."""

    tried: Tried = "stand-ins"

    instances: int
    cpus: float
    """Of each."""
    profiled_requests_per_s: float
    """Of one alone under the load generator that profiles are taken with: of a stand-in as measured now, of the
    container as the profile's model has it for the same requests."""
    alone_requests_per_s: float
    """Of one alone under the runner."""
    together_requests_per_s: float
    """Of one of them under the runner, while all are at work."""
    warming_s: float = 0.0
    """By so much later than at that rate did one of them answer its first requests; 0 for stand-ins, which are warm."""
    client_cpu_s_per_request: float
    """CPU seconds of the runner itself for a request."""
    requests: int
    """So many, of all together."""
    keeps_connections: bool
    """Whether they kept connections open after an answer; opening another costs both sides CPU time."""

    @property
    def slowdown(self) -> float:
        """Time of a request while all instances are at work, in units of what it took in the profile.

        Stand-ins know only what instances and runner take from each other, which makes none faster: at least 1. With
        the containers it also holds how fast the machine is now, and what the profile's model erred.
        """
        return self._beside_profile(self.together_requests_per_s)

    def _beside_profile(self, requests_per_s: float) -> float:
        ratio = self.profiled_requests_per_s / requests_per_s
        return ratio if self.tried == "containers" else max(1.0, ratio)

    def slowdowns(self) -> tuple[float, ...]:
        """The slowdown while 1 .. n instances are at work.

        Measured for 1 and n. Between them, what the instances are short of, CPU time or the runner's attention, is
        divided among fewer as some end: in proportion to their number, until each is as fast as one alone.
        """
        alone = min(self.slowdown, self._beside_profile(self.alone_requests_per_s))
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
