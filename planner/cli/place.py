"""`planner place`: where this machine stands among the benchmarked processors, with a benchmark run here if asked."""

from pathlib import Path
from typing import Any

import click

from planner.cli.options import DURATION, OutputFormat, emit, output_options, stderr_console


@click.command(
    "place",
    epilog="""\b
Examples:
  planner place
  planner place --stress-ng
  planner place --stress-ng --profile profile.json

stress-ng is in most distributions: apt-get install stress-ng. It runs six times; let nothing else run.""",
)
@click.option(
    "--stress-ng",
    "run_benchmark",
    is_flag=True,
    help="Run stress-ng's 16-bit integer divisions on one CPU and on all, as the catalogue's processors did: shows "
    "whether its CPUs are cores or hyperthreads and, with version 0.17.08, its clock beside theirs.",
)
@click.option(
    "--seconds",
    type=DURATION,
    default="3s",
    show_default=True,
    help="... so long for each of its six runs, at least 1 s.",
)
@click.option(
    "--profile",
    "profile_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what stress-ng found into this profile, which was measured on this machine: predictions and plans made "
    "of it then start from there.",
)
@output_options
def command(
    *, run_benchmark: bool, seconds: float, profile_path: Path | None, output: Path | None, format_: OutputFormat
) -> None:
    """Say where this machine stands among the processors whose benchmarks tell of the instance types.

    By its name where the catalogue has it, else by its CPUID, and by stress-ng where asked. A prediction for an
    instance type is a step from here to there: the better this machine is placed, the narrower its interval.
    """
    if profile_path is not None and not run_benchmark:
        raise click.UsageError("--profile takes what stress-ng finds: it goes with --stress-ng.")
    if seconds < 1:
        raise click.BadParameter("stress-ng counts whole seconds: at least 1s.", param_hint="--seconds")
    from planner.documents import read_document, replace, write_document
    from planner.performance.placing import placed, with_benchmark
    from planner.profiling.host import read_host
    from planner.profiling.profile import Profile

    host = read_host()
    profile = None
    if profile_path is not None:
        profile = with_benchmark(read_document(profile_path, Profile), host)
    if run_benchmark:
        from planner.profiling.host_benchmark import measure_host

        stderr_console().print(f"Running stress-ng for about {6 * seconds:.0f} s", markup=False)
        host = replace(host, benchmark=measure_host(host.logical_cpus, seconds=seconds))
    document = placed(host)

    def rendered() -> Any:
        from planner.report.placement import render

        return render(document)

    emit(document, rendered, output=output, format_=format_)
    if profile is not None and profile_path is not None:
        write_document(profile_path, with_benchmark(profile, host))
        stderr_console().print(f"Written into {profile_path}", markup=False)
