"""The document of a simulated job: distributions over the played worlds, chances, and what it rests on."""

from planner.documents import Document, Value
from planner.interval import Interval
from planner.jobs.sharing import SideBySide
from planner.planning.space import Configuration


class Distribution(Value, frozen=True, kw_only=True):
    """A quantity over all worlds."""

    mean: float
    sd: float
    """Standard deviation from world to world."""
    standard_error: float
    """Of the mean: sd / sqrt(worlds)."""
    quantiles: tuple[tuple[float, float], ...]
    """(probability, value) pairs at 0.05, 0.25, 0.5, 0.75, 0.95 and 0.99."""


class Chance(Value, frozen=True, kw_only=True):
    """How likely a limit is kept."""

    limit: float
    """Seconds of a deadline, dollars of a budget."""
    probability: float
    """Share of worlds that keep it."""
    standard_error: float
    """sqrt(p (1 - p) / worlds), with half a world added on each side so that it is not 0 at 0 % and 100 %."""


class InstanceUse(Value, frozen=True, kw_only=True):
    """What one instance of the job does, over all worlds."""

    instance: int
    objects: float
    """Mean number."""
    busy_s: Distribution
    """From the job's first request to the instance's last answer."""
    utilization: Interval
    """Mean requests in flight over MaxConcurrentTransforms until the job ends: least, mean and most of all worlds."""


class IdleMoney(Value, frozen=True, kw_only=True):
    """Paid for instances that have finished, or never got an object, while the job goes on."""

    usd: Distribution
    share_of_cost: float
    """Mean."""


class ExpectedLoss(Value, frozen=True, kw_only=True):
    """What bad records cost: an object with one loses its whole output, the others keep theirs. Exact expectations."""

    record_failure_rate: float
    """Chance of a record to be bad, independent of all others."""
    job_fails: float
    """Probability that at least one object is lost, and the job ends as Failed."""
    objects: float
    """Expected number of objects lost."""
    objects_share: float
    records_share: float
    """Of all records, those in lost objects."""
    rerun_usd: float | None
    """Expected cost of running the lost objects again, once mended: billed start-up of as many instances as there are
    lost objects (at most those of the job), and their share of the work; 0 where nothing is lost. None: no prices."""


class Simulation(Document, frozen=True, kw_only=True, tag="simulation"):
    """A job played out many times."""

    configuration: Configuration
    """On this host its instance_type is "here"."""
    plan_created_at: str | None
    input: str
    objects: int
    records: int
    requests: int
    worlds: int
    seed: int
    random_assignment: float
    """Share of worlds with objects at random on instances; in the others they are dealt in key order."""
    makespan_s: Distribution
    """First request to last answer."""
    startup_s: Distribution | None
    """From creating the job to its first request; None on this host."""
    finish_s: Distribution
    """From creating the job to its end."""
    billed_s: Distribution | None
    """Billed seconds of one instance."""
    cost_usd: Distribution | None
    deadline: Chance | None
    budget: Chance | None
    instances: tuple[InstanceUse, ...]
    idle: IdleMoney | None
    loss: ExpectedLoss | None
    summed_share: float
    """Share of requests that were played as sums and not one by one."""
    sum_error_bound_s: float
    """What that can change about the end of an instance: less than one request. 0 when all were played one by one."""
    planned_makespan_s: Interval | None
    """The plan's own intervals, to be held beside."""
    planned_finish_s: Interval | None
    planned_cost_usd: Interval | None
    side_by_side: SideBySide | None = None
    """On this host, what instances and runner cost each other, as measured; None: not measured."""
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...] = ()
