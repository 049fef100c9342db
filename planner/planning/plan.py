"""The answer and everything a reader needs to check it by hand."""

from collections.abc import Mapping

from planner.catalogue.prices import Price
from planner.documents import Document, Json, Value
from planner.interval import Interval
from planner.performance.prediction import Bottleneck
from planner.planning.space import Configuration
from planner.records.dataset import BatchStrategy


class Goal(Value, frozen=True, kw_only=True):
    """What was asked for."""

    objective: str
    """"cost" (cheapest that meets the deadline) or "time" (fastest within the budget)."""
    deadline_s: float | None = None
    confidence: float = 0.95
    """Probability with which the deadline and the budget are to be met."""
    budget_usd: float | None = None
    region: str
    instance_types: tuple[str, ...] = ()
    """Globs; empty: all."""
    max_instance_count: int
    quotas: Mapping[str, int] = {}
    """Most instances of a type at once ("ml.<type> for transform job usage"), where one was given."""
    prices: Mapping[str, float] = {}
    """US dollars per instance-hour that were given in place of the catalogue's."""
    savings_plan: float = 0.0
    """Fraction that was taken off the catalogue's prices, 0 to 1."""
    runs_per_month: float | None = None


class Workload(Value, frozen=True, kw_only=True):
    """The job's input, as far as the estimate depends on it."""

    input: str
    split_type: str
    compression_type: str
    content_type: str | None
    accept: str | None
    objects: int
    records: int
    payload_bytes: int
    largest_record_bytes: int
    largest_object_records: int
    repeat: int = 1
    """How many times over the scanned input was taken (`--repeat`)."""


class Estimate(Value, frozen=True, kw_only=True):
    """What one configuration would do."""

    cost_usd: Interval
    makespan_s: Interval
    """First request to last response, over all instances."""
    billed_s: Interval
    """Billed seconds of one instance: billed start-up + makespan."""
    finish_s: Interval
    """From creating the job to its end: what a deadline is compared with (waiting for machines included)."""
    startup_s: Interval
    requests: int
    records_per_request: float
    """Mean over the job's requests."""
    records_per_full_request: int
    throughput_records_per_s: Interval
    """Of one instance in the steady state."""
    latency_s: Interval
    latency_p99_s: Interval
    memory_bytes: Interval | None
    busiest_instance_share: float
    """Share of all records on the busiest instance; 1/count when perfectly balanced."""
    idle_instances: int
    bottleneck: Bottleneck
    extrapolated: bool
    regime: str
    price: Price
    finish_at_confidence_s: float | None = None
    """The quantile of finish_s at the goal's confidence: what was compared with the deadline."""
    cost_at_confidence_usd: float | None = None
    """The quantile of cost_usd at the goal's confidence: what was compared with the budget."""


class Alternative(Value, frozen=True, kw_only=True):
    """A configuration that was not chosen, with what it would have done, and why not."""

    title: str
    """"runner-up 1", or the guess it stands for: "defaults on ml.m5.xlarge"."""
    configuration: Configuration
    estimate: Estimate
    reason: str
    """In words: how much dearer or slower, "within noise of the choice", or which constraint it breaks."""
    within_noise: bool


class Rejection(Value, frozen=True, kw_only=True):
    """Why an instance type, or all settings of a kind, were refused."""

    subject: str
    """An instance type, or a group of candidates."""
    limit: str
    """Which limit: accelerator, price, memory, deadline, budget, time-out, payload, quota, filter."""
    reason: str
    candidates: int
    """How many candidates fell to it."""


class TypeBest(Value, frozen=True, kw_only=True):
    """The best that one instance type can do: what `planner explain --why-not` reads."""

    configuration: Configuration
    cost_usd: Interval
    finish_s: Interval
    makespan_s: float
    billed_s: float
    usd_per_hour: float
    throughput_records_per_s: Interval
    """Of one instance."""
    bottleneck: Bottleneck
    meets_constraints: bool
    """False: it is the configuration of the type that comes nearest."""
    reason: str
    """In words, against the choice."""
    within_noise: bool


class SettingBest(Value, frozen=True, kw_only=True):
    """The best that the chosen type can do under one value of one setting (`explain --why-not NAME=VALUE`)."""

    setting: str
    """BatchStrategy, MaxPayloadInMB, MaxConcurrentTransforms or InstanceCount."""
    value: str
    instance_count: int
    batch_strategy: BatchStrategy
    max_payload_mb: int
    max_concurrent_transforms: int
    cost_usd: float
    finish_s: float
    """Both in the middle estimate."""
    breaks: str
    """In words: the limit that even the best breaks; empty where none is."""


class Reshard(Value, frozen=True, kw_only=True):
    """A layout of the input in equal objects that would be cheaper (or faster), and what would be chosen for it."""

    objects: int
    object_bytes: int
    """Payload bytes of each."""
    instance_type: str
    instance_count: int
    cost_usd: float
    finish_s: float
    saving_usd: float
    """Against the plan's choice, in the middle estimates; below 0 when time is the objective and is bought."""
    saving_s: float


class Sensitivity(Value, frozen=True, kw_only=True):
    """What would be chosen if one assumption were otherwise."""

    assumption: str
    """start-up, speed, objects, price or deadline."""
    change: str
    """In words and numbers: what is taken instead."""
    configuration: Configuration | None
    """What would be chosen then; None: nothing would meet the constraints."""
    same_choice: bool
    """Whether type and count stay."""
    regret: float | None
    """How much more the plan's choice would then cost (or take, when time is the objective) than the new one, as a
    fraction; below 0 where the choice, then breaking a constraint, is cheaper. None without a new one."""
    choice_holds: bool
    """Whether the plan's choice would still meet the constraints."""
    saving_usd: float | None = None
    """What the new optimum costs less than today's exact optimum; None without a new one."""


class ExactOptimum(Value, frozen=True, kw_only=True):
    """The exact optimum of the space, where a simpler setting of its type and count was chosen in its place."""

    configuration: Configuration
    cost_usd: float
    finish_s: float
    """Both in the middle estimate."""
    reason: str
    """In words: what was given up, and for what."""


class LayoutBest(Value, frozen=True, kw_only=True):
    """What would be chosen for one layout of the input."""

    objects: int
    as_it_is: bool
    """False: cut into so many objects of equal size."""
    instance_type: str
    instance_count: int
    cost_usd: float
    finish_s: float
    """Both in the middle estimate."""


class NewLayout(Value, frozen=True, kw_only=True):
    """The layout that the plan needs and the input does not have: a step before the job."""

    objects: int
    object_bytes: int
    """Payload bytes of each."""
    objects_now: int
    command: str
    """The command line that makes it."""
    without: LayoutBest | None
    """The best for the input as it is; None: nothing meets the constraints then."""
    saving_usd: float | None
    """Against `without`, in the middle estimates; below 0 when time is the objective and is bought."""
    saving_s: float | None


class SampledSearch(Value, frozen=True, kw_only=True):
    """The trials that a plan rests on whose space was sampled by Optuna (tree-structured Parzen estimator)."""

    trials: int
    """Of every layout that was searched."""
    seed: int
    found_at: int
    """Number of the trial, from 1, that found the choice."""


class Plan(Document, frozen=True, kw_only=True, tag="plan"):
    """The recommendation."""

    goal: Goal
    workload: Workload
    configuration: Configuration
    estimate: Estimate
    exact_optimum: ExactOptimum | None = None
    """None: the choice is the exact optimum itself, or the best of what was sampled."""
    sampled: SampledSearch | None = None
    """None: decided exactly. Else alternatives and types are the best of the trials, and the plan has no front, no
    settings and no sensitivity, which would take the exact search."""
    layout: NewLayout | None = None
    """The layout that workload and configuration are for; None: the input's own."""
    layouts: tuple[LayoutBest, ...] = ()
    """Where layouts were searched too: the best of each that can meet the constraints, the input as it is first."""
    monthly_cost_usd: Interval | None = None
    """Of `Goal.runs_per_month` such jobs. The bounds grow with the number of jobs: what is not known of one is not
    known of the others either."""
    alternatives: tuple[Alternative, ...]
    rejections: tuple[Rejection, ...]
    pareto: tuple[Alternative, ...]
    """Cost against finish time, cheapest first, mutually non-dominated in the middle estimates."""
    types: tuple[TypeBest, ...] = ()
    """The best configuration of every instance type that was searched, the choice first, then cheapest (or fastest)
    first; of types that cannot meet the constraints the one that comes nearest."""
    settings: tuple[SettingBest, ...] = ()
    """Of the chosen type: the best under every value of every setting."""
    sensitivity: tuple[Sensitivity, ...] = ()
    reshard: Reshard | None = None
    """None: no layout of equal objects that was tried is better by 3 % of the objective, or `layouts` says it all."""
    candidates: int
    """Size of the space that was searched, for one layout."""
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    profile_digest: str
    """sha256 of the profile document the plan rests on."""
    second_profile_digests: tuple[str, ...] = ()
    """... of those from other machines that sharpened it (`--also`)."""
    transform_job: Json
    """CreateTransformJob request with placeholders for names and URIs that `planner request` fills in."""
