"""`planner explain`: a plan's reasons, and why another type was not chosen."""

from pathlib import Path

import click


@click.command(
    "explain",
    epilog="""\b
Examples:
  planner explain plan.json
  planner explain plan.json --why-not ml.c5.9xlarge --why-not ml.g5.xlarge

Reads nothing but the plan.""",
)
@click.argument("plan", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--why-not",
    "types",
    multiple=True,
    metavar="TYPE",
    help="An instance type: why it was not chosen, and at which price or speed it would be; repeatable.",
)
def command(*, plan: Path, types: tuple[str, ...]) -> None:
    """Say why PLAN chose what it chose, what it depends on, and why not another instance type.

    Shows the bottleneck, the types within noise of the choice, and what would be chosen if start-up, speed, the
    assignment of objects, the price or the deadline were otherwise.
    """
    from planner.documents import read_document
    from planner.planning.explain import what_changes_it, why, why_not
    from planner.planning.plan import Plan

    document = read_document(plan, Plan)
    if types:
        for name in types:
            for line in why_not(document, name):
                click.echo(line)
        return
    for line in why(document):
        click.echo(line)
    click.echo("\nIf it were otherwise:")
    for line in what_changes_it(document):
        click.echo(f"  {line}")
