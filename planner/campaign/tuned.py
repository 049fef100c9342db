"""Settings first, then the profile: the container tuned, and measured in full under its best setting."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from planner.campaign.knobs import MOST_TRIALS, Space, tune
from planner.campaign.profiler import profile
from planner.campaign.session import Progress
from planner.campaign.settings import OpenContainer, trying, verifying
from planner.documents import to_json
from planner.profiling.calibrate import calibrate
from planner.profiling.host import read_host
from planner.profiling.payloads import read_sample
from planner.profiling.profile import Profile
from planner.records.dataset import SplitType

if TYPE_CHECKING:
    from planner.campaign.deciding import Question

TRIAL_SHARE: Final = 0.1
"""Load of one setting, as a share of the time budget."""
VERIFY_SHARE: Final = 0.2
"""Load of each of the two best, when they are measured again."""


def journal_of(output: Path) -> Path:
    """Where the search beside a profile keeps its answers."""
    return output.with_name(f"{output.name}.tuning")


def profile_tuned(
    open_container: OpenContainer,
    space: Space,
    *,
    payload: Path,
    content_type: str,
    accept: str | None = None,
    split_type: SplitType = "Line",
    time_budget_s: float = 60.0,
    trials: int = MOST_TRIALS,
    records_per_request: Sequence[int] | None = None,
    concurrency: Sequence[int] | None = None,
    question: "Question | None" = None,
    output: Path,
    resume: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Profile:
    """The profile of the container under the best of its settings; the profile lists all that were tried.

    Each setting is loaded for a tenth of `time_budget_s`, the two best again for a fifth; the profile then takes all
    of it. The answers so far stand in a journal beside `output`. Raises what `tune` and `profile` raise.
    """
    sample = read_sample(payload, content_type=content_type, accept=accept, split_type=split_type)
    given = open_container({}).description
    host, generator = read_host(), calibrate(sample.first_body(1))
    tuning = tune(
        space,
        trying(open_container, sample, host, generator, TRIAL_SHARE * time_budget_s),
        verify=verifying(open_container, sample, host, generator, VERIFY_SHARE * time_budget_s),
        journal=journal_of(output),
        subject=to_json(given) + sample.payload.digest,
        trials=trials,
        resume=resume,
        progress=lambda doing, done, planned: progress(Progress(doing=doing, measured=done, planned=planned)),
    )
    return profile(
        open_container(tuning.chosen),
        payload=payload,
        content_type=content_type,
        accept=accept,
        split_type=split_type,
        time_budget_s=time_budget_s,
        records_per_request=records_per_request,
        concurrency=concurrency,
        question=question,
        tuning=tuning,
        output=output,
        resume=resume,
        progress=progress,
    )
