"""Object layout as an axis of the space: the input as it is, or first cut into K objects of equal size.

Each layout is a case of its own, posed and searched like any other, so that the plan for K objects is the plan that
`recommend` gives for an input that has them. K ranges over the counts of `planner.planning.reshard`, and only where an
object then still has 1 MB. Rewriting an input is work: the layout as it is stays where no other gains more than
NEGLIGIBLE, and of those that come so near the best, the one with the fewest objects is taken.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planner.documents import replace
from planner.errors import InfeasibleError
from planner.planning.case import Case
from planner.planning.parsimony import NEGLIGIBLE
from planner.planning.plan import LayoutBest, NewLayout, Plan
from planner.planning.reshard import COUNTS, command, equal_objects
from planner.planning.search import Candidate, Objective
from planner.planning.strategy import Found, Search
from planner.records.dataset import Dataset
from planner.units import MIB, show_bytes

_UNTRIED: Final = (
    "No other layout was tried: an object is one record (SplitType None), or the input is too small for "
    f"{COUNTS[0]} objects or more, other than it has, of at least 1 MB each."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """A layout of the input with what was found for it."""

    as_it_is: bool
    case: Case
    found: Found

    @property
    def objects(self) -> int:
        """K."""
        return self.case.problem.layout.objects

    @property
    def choice(self) -> Candidate:
        """What is chosen for the layout."""
        return self.found.chosen.choice


def cuts(dataset: Dataset) -> Iterator[Dataset]:
    """The input in K equal objects, for each K that is tried; none where an object is one record or they are so."""
    if dataset.split_type == "None":
        return
    records = [o.records for o in dataset.objects]
    for count in COUNTS:
        already = count == dataset.object_count and max(records) - min(records) <= 1
        if not already and count <= dataset.records and dataset.payload_bytes >= count * MIB:
            yield equal_objects(dataset, count)


def every_layout(dataset: Dataset, posed: Callable[[Dataset], Case], search: Search) -> list[Laid]:
    """Every layout for which something meets the constraints, the input as it is first.

    Raises the InfeasibleError of the input as it is where no layout has anything.
    """
    laid: list[Laid] = []
    refused: InfeasibleError | None = None
    for layout in (dataset, *cuts(dataset)):
        try:
            case = posed(layout)
            laid.append(Laid(as_it_is=layout is dataset, case=case, found=search(case)))
        except InfeasibleError as error:
            refused = refused or error
    if refused is not None and not laid:
        raise refused
    return laid


def best_layout(laid: Sequence[Laid], objective: Objective) -> Laid:
    """The layout to take: as it is, or else with the fewest objects, among those within NEGLIGIBLE of the best."""
    values = [_value(each, objective) for each in laid]
    near = [each for each, value in zip(laid, values, strict=True) if value <= min(values) * (1 + NEGLIGIBLE)]
    return min(near, key=lambda each: (not each.as_it_is, each.objects))


def _value(laid: Laid, objective: Objective) -> float:
    return laid.choice.finish_s if objective == "time" else laid.choice.cost_usd


def with_layout(plan: Plan, dataset: Dataset, laid: Sequence[Laid], taken: Laid, repeat: int) -> Plan:
    """The plan of the layout that is taken, with the step that makes it and all that was tried beside it."""
    rows = tuple(_row(each) for each in laid)
    if taken.as_it_is:
        untried = () if next(cuts(dataset), None) else (_UNTRIED,)
        return replace(plan, layouts=rows, warnings=(*untried, *plan.warnings))
    here = next((row for row in rows if row.as_it_is), None)
    layout = NewLayout(
        objects=taken.objects,
        object_bytes=round(dataset.payload_bytes / taken.objects),
        objects_now=dataset.object_count,
        command=command(dataset, taken.objects),
        without=here,
        saving_usd=None if here is None else here.cost_usd - taken.choice.cost_usd,
        saving_s=None if here is None else here.finish_s - taken.choice.finish_s,
    )
    return replace(
        plan,
        layout=layout,
        layouts=rows,
        workload=replace(plan.workload, repeat=repeat),
        assumptions=(_assumption(layout, repeat), *plan.assumptions),
    )


def _row(laid: Laid) -> LayoutBest:
    choice = laid.choice
    return LayoutBest(
        objects=laid.objects,
        as_it_is=laid.as_it_is,
        instance_type=laid.case.problem.names[choice.t],
        instance_count=choice.n,
        cost_usd=choice.cost_usd,
        finish_s=choice.finish_s,
    )


def _assumption(layout: NewLayout, repeat: int) -> str:
    taken = "the input" if repeat == 1 else f"the input, taken {repeat:,} times over,"
    return (
        f"Layout: {taken} is first cut from {layout.objects_now:,} objects into {layout.objects:,} "
        f"of equal size, about {show_bytes(layout.object_bytes)} each, by `{layout.command}`, and put on S3 so; "
        "time and cost of that are not part of the estimate."
    )
