"""A simulated job as people read it: distributions, chances, instances, what is lost, what it rests on."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from planner.interval import Interval
from planner.jobs.simulation.document import Chance, Distribution, Simulation
from planner.units import show_seconds, show_usd

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

SHOWN_INSTANCES = 12


def render(simulation: Simulation) -> "RenderableType":
    """What was played, the table of distributions, the chances, the instances, losses, assumptions and warnings."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    chosen, blank = simulation.configuration, Text()
    parts: list[RenderableType] = [
        Text(
            f"{chosen.instance_count} x {chosen.instance_type}, {chosen.batch_strategy}, payloads up to "
            f"{chosen.max_payload_mb} MB, {chosen.max_concurrent_transforms} in flight per instance",
            style="bold",
        ),
        Text(
            f"{simulation.input}: {simulation.requests:,} requests of {simulation.records:,} records in "
            f"{simulation.objects:,} objects; {simulation.worlds:,} worlds, seed {simulation.seed}"
        ),
        blank,
        _distributions(simulation),
        blank,
        *(Text(line) for line in (*chances(simulation), *losses(simulation), "")),
        _instances(simulation),
        blank,
        Text("What this rests on", style="bold"),
        *(Padding(Text(line), (0, 0, 0, 2)) for line in simulation.assumptions),
    ]
    parts += [Text(f"Warning: {line}", style="yellow") for line in simulation.warnings]
    return Group(*parts)


def chances(simulation: Simulation) -> Iterator[str]:
    """One line each for deadline, budget and idle money."""
    if simulation.deadline is not None:
        yield f"Ends within {show_seconds(simulation.deadline.limit)}: {_chance(simulation.deadline)}"
    if simulation.budget is not None:
        yield f"Costs at most {show_usd(simulation.budget.limit)}: {_chance(simulation.budget)}"
    idle = simulation.idle
    if idle is not None and len(simulation.instances) > 1:
        yield (
            f"Paid for instances that wait for the last one: {show_usd(idle.usd.mean)} on average "
            f"({idle.share_of_cost:.1%} of the cost)"
        )


def losses(simulation: Simulation) -> Iterator[str]:
    """What bad records are expected to cost."""
    loss = simulation.loss
    if loss is None:
        return
    rerun = "" if loss.rerun_usd is None else f"; running them again costs {show_usd(loss.rerun_usd)} on average"
    yield (
        f"With 1 bad record in {1 / loss.record_failure_rate:,.0f}: "
        if loss.record_failure_rate
        else "No bad records: "
    ) + (
        f"the job fails with probability {loss.job_fails:.1%}, and loses {loss.objects:,.3g} objects "
        f"({loss.records_share:.2%} of the records) on average{rerun}"
    )


def _chance(chance: Chance) -> str:
    return f"{chance.probability:.1%} of worlds (standard error {chance.standard_error:.1%})"


def _distributions(simulation: Simulation) -> "Table":
    """A column for each quantity: quantiles, mean and its standard error, and the plan's interval beside."""
    from rich.table import Table

    columns = list(_columns(simulation))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("of all worlds")
    for name, _, _, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for place, (probability, _) in enumerate(simulation.makespan_s.quantiles):
        table.add_row(f"{probability:.0%} below", *(show(found.quantiles[place][1]) for _, found, _, show in columns))
    table.add_row("mean", *(show(found.mean) for _, found, _, show in columns))
    table.add_row("standard error", *(show(found.standard_error) for _, found, _, show in columns))
    if simulation.planned_finish_s is not None:
        for bound in ("low", "mid", "high"):
            cells = ("" if plan is None else show(getattr(plan, bound)) for _, _, plan, show in columns)
            table.add_row(f"the plan's {bound}", *cells, style="dim")
    return table


def _columns(simulation: Simulation) -> "Iterator[tuple[str, Distribution, Interval | None, Callable[[float], str]]]":
    yield "makespan", simulation.makespan_s, simulation.planned_makespan_s, show_seconds
    if simulation.startup_s is not None:
        yield "start-up", simulation.startup_s, None, show_seconds
        yield "finish", simulation.finish_s, simulation.planned_finish_s, show_seconds
    if simulation.cost_usd is not None:
        yield "cost", simulation.cost_usd, simulation.planned_cost_usd, show_usd


def _instances(simulation: Simulation) -> "Table":
    """The first rows; instances that were dealt alike look alike."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("instance", "objects", "busy 5%", "mean", "95%", "in use, least", "mean", "most"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in simulation.instances[:SHOWN_INSTANCES]:
        quantiles = dict(row.busy_s.quantiles)
        times = (quantiles[0.05], row.busy_s.mean, quantiles[0.95])
        used = (row.utilization.low, row.utilization.mid, row.utilization.high)
        cells = [*(show_seconds(value) for value in times), *(f"{value:.0%}" for value in used)]
        table.add_row(str(row.instance + 1), f"{row.objects:,.4g}", *cells)
    if len(simulation.instances) > SHOWN_INSTANCES:
        table.add_row("...", f"{len(simulation.instances) - SHOWN_INSTANCES} more", *[""] * 6)
    return table
