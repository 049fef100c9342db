"""`planner explain`: a plan's reasons, and why another type or setting was not chosen."""

from pathlib import Path

import click


@click.command(
    "explain",
    epilog="""\b
Examples:
  planner explain plan.json
  planner explain plan.json --why-not ml.c5.9xlarge --why-not ml.g5.xlarge
  planner explain plan.json --why-not MaxPayloadInMB=1 --why-not SingleRecord --why-not InstanceCount=3

Reads nothing but the plan.""",
)
@click.argument("plan", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--why-not",
    "subjects",
    multiple=True,
    metavar="TYPE|NAME=VALUE",
    help="An instance type: why it was not chosen, and at which price or speed it would be. Or a setting "
    "(MaxPayloadInMB=1, MaxConcurrentTransforms=8, InstanceCount=3, SingleRecord): the best with it. Repeatable.",
)
def command(*, plan: Path, subjects: tuple[str, ...]) -> None:
    """Say why PLAN chose what it chose, what it depends on, and why not another instance type or setting.

    Shows the bottleneck, the types within noise of the choice, and what would be chosen if start-up, speed, the
    assignment of objects, the price or the deadline were otherwise.
    """
    from planner.documents import read_document
    from planner.planning.explain import what_changes_it, why, why_not
    from planner.planning.plan import Plan

    document = read_document(plan, Plan)
    if subjects:
        for subject in subjects:
            for line in why_not(document, subject):
                click.echo(line)
        return
    for line in why(document):
        click.echo(line)
    click.echo("\nIf it were otherwise:")
    for line in what_changes_it(document):
        click.echo(f"  {line}")
