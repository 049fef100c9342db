"""The answer for many jobs: what each does and when, and what they hold together."""

from collections.abc import Mapping

from planner.documents import Document, Json, Value
from planner.interval import Interval
from planner.planning.plan import Estimate, Workload
from planner.planning.space import Configuration


class PlannedJob(Value, frozen=True, kw_only=True):
    """One job among others; times are on the clock that all of them share."""

    name: str
    region: str
    workload: Workload
    configuration: Configuration
    estimate: Estimate
    earliest_start_s: float
    start_s: float
    """When to create it."""
    end_s: float
    """By when it has ended, with the plan's confidence."""
    deadline_s: float
    released_s: float
    """Until when the schedule keeps its instances from other jobs: `end_s` rounded up to a slot."""
    profile_digest: str
    warnings: tuple[str, ...]
    """As a plan of the job alone would have them, layout advice apart."""
    transform_job: Json


class Peak(Value, frozen=True, kw_only=True):
    """The most instances that are held at once."""

    instance_type: str
    """"*": all types together."""
    instances: int
    quota: int | None
    """None: none was given."""
    from_s: float
    """When the peak is first reached."""


class Held(Value, frozen=True, kw_only=True):
    """Instances of a type over a time in which their number does not change."""

    instance_type: str
    instances: int
    from_s: float
    until_s: float


class CapacityPlan(Document, frozen=True, kw_only=True, tag="capacity_plan"):
    """A plan per job under shared quotas."""

    confidence: float
    """Probability with which each single job meets its deadline; of all together it is lower."""
    quotas: Mapping[str, int]
    total_quota: int | None
    slot_s: float
    """Starts and lengths are multiples of it."""
    jobs: tuple[PlannedJob, ...]
    cost_usd: Interval
    """Sum over the jobs, bounds added outright: they share the model's error."""
    gap: float
    """How much cheaper, as a fraction, a schedule of the same options could still be; 0: none is."""
    peaks: tuple[Peak, ...]
    usage: tuple[Held, ...]
    """In order of type, then time; times without instances are left out."""
    assumptions: tuple[str, ...]
