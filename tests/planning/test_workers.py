"""Another number of workers is planned with only where it was measured and the model foretells it."""

from planner.documents import replace
from planner.performance.model import PerformanceModel
from planner.planning.recommend import recommend
from planner.planning.workers import workers_per_cpu
from planner.profiling.profile import Profile
from planner.records.layout import describe
from tests.performance.synthetic import prefork, synthetic_profile


def two_settings(*, factor: float = 1.0) -> Profile:
    """A profile at two workers, and again at one; the latter's throughput times a factor."""
    usual, fewer = synthetic_profile(prefork(workers=2)), synthetic_profile(prefork(workers=1))
    rows = tuple(
        replace(row, throughput_records_per_s=row.throughput_records_per_s * factor) for row in fewer.measurements[:8]
    )
    return replace(usual, measurements=(*usual.measurements, *rows))


def test_one_number_of_workers_gives_no_other() -> None:
    profile = synthetic_profile()
    assert workers_per_cpu(profile, PerformanceModel.fit(profile)) == ()


def test_a_measured_number_that_the_model_foretells_is_planned_with() -> None:
    profile = two_settings()
    cpus = profile.measurements[0].cpus
    assert workers_per_cpu(profile, PerformanceModel.fit(profile)) == (1 / cpus,)
    types = ("ml.m5.xlarge",)
    plain, both = (
        recommend(p, describe(10_000_000, 100, 50), instance_types=types) for p in (synthetic_profile(), profile)
    )
    assert both.candidates == 2 * plain.candidates
    # Half the workers cannot be better here, and are not chosen.
    assert both.configuration.environment["SAGEMAKER_MODEL_SERVER_WORKERS"] == "4"


def test_a_measured_number_that_the_model_gets_wrong_is_left_alone() -> None:
    profile = two_settings(factor=3.0)
    assert workers_per_cpu(profile, PerformanceModel.fit(profile)) == ()
