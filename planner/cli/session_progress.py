"""How far a profiling session is, on a terminal."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from planner.campaign.session import Progress


@contextlib.contextmanager
def shown_progress(console: "Console") -> "Iterator[Callable[[Progress], None]]":
    """A progress bar on a terminal; elsewhere nothing. Yields what `planner.profile` takes as `progress`."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as ProgressBar

    from planner.report.profile import one_line

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[last]}", markup=False))
    bar = ProgressBar(
        TextColumn("{task.description}"), *columns, console=console, transient=True, disable=not console.is_terminal
    )
    with bar:
        task = bar.add_task("", total=None, last="")

        def show(step: "Progress") -> None:
            last = one_line(step.measurement) if step.measurement is not None else ""
            bar.update(task, description=step.doing, completed=step.measured, total=step.planned or None, last=last)

        yield show
