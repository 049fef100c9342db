import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from planner.campaign.knobs import Space, parse_values, tune
from planner.errors import ProfileError
from planner.profiling.tuning import Trial, Tuning

SPACE = {"THREADS": ("1", "2", "4"), "KIND": ("a", "b")}


class Settings:
    """Throughput of a setting by a law; 4 threads of kind b fail."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.tried: list[dict[str, str]] = []
        self.verified: list[dict[str, str]] = []
        self.stop_after = stop_after

    def verify(self, trial: Trial) -> float | None:
        """Four threads were lucky the first time."""
        self.verified.append(dict(trial.environment))
        return 120.0 if trial.environment["THREADS"] == "4" else 240.0

    def measure(self, setting: Mapping[str, str]) -> Trial:
        if len(self.tried) == self.stop_after:
            raise KeyboardInterrupt
        self.tried.append(dict(setting))
        threads, kind = int(setting.get("THREADS", "1")), setting.get("KIND", "a")
        if (threads, kind) == (4, "b"):
            return Trial(environment=dict(setting), throughput_records_per_s=None, reason="out of memory")
        rate = 100.0 * threads + (50 if kind == "b" else 0)
        return Trial(environment=dict(setting), throughput_records_per_s=rate, records_per_request=8, concurrency=2)


def search(
    settings: Settings, journal: Path, *, resume: bool = False, space: Space | None = None, trials: int = 16
) -> Tuning:
    return tune(space or SPACE, settings.measure, journal=journal, subject="a model", trials=trials, resume=resume)


def test_a_small_space_is_tried_whole_and_the_best_setting_chosen(tmp_path: Path) -> None:
    settings = Settings()
    tuning = search(settings, tmp_path / "journal")
    assert settings.tried[0] == {}
    assert len(settings.tried) == 7
    assert len({tuple(sorted(setting.items())) for setting in settings.tried}) == 7
    assert tuning.chosen == {"THREADS": "4", "KIND": "a"}
    assert [trial.reason for trial in tuning.trials if trial.throughput_records_per_s is None] == ["out of memory"]


def test_the_two_best_are_measured_again_and_the_one_better_then_is_chosen(tmp_path: Path) -> None:
    settings, journal = Settings(), tmp_path / "journal"
    found = tune(SPACE, settings.measure, journal=journal, subject="a model", verify=settings.verify)
    assert settings.verified == [{"THREADS": "4", "KIND": "a"}, {"THREADS": "2", "KIND": "b"}]
    assert found.chosen == {"THREADS": "2", "KIND": "b"}
    again = [(dict(t.environment), t.verified_records_per_s) for t in found.trials if t.verified_records_per_s]
    assert sorted(rate for _, rate in again) == [120.0, 240.0]
    later = Settings()
    resumed = tune(SPACE, later.measure, journal=journal, subject="a model", verify=later.verify, resume=True)
    assert resumed == found
    assert later.verified == []


def test_the_container_as_given_wins_where_nothing_is_better(tmp_path: Path) -> None:
    tuning = search(Settings(), tmp_path / "journal", space={"THREADS": ("1",)})
    assert tuning.chosen == {}


def test_a_larger_space_is_searched_with_so_many_trials(tmp_path: Path) -> None:
    settings = Settings()
    tuning = search(settings, tmp_path / "journal", space={"THREADS": parse_values("1:40")}, trials=12)
    assert len(tuning.trials) == 13
    assert len(settings.tried) <= 13
    assert int(tuning.chosen["THREADS"]) >= 20


def test_an_interrupted_search_tries_only_what_is_missing(tmp_path: Path) -> None:
    journal, first, second = tmp_path / "journal", Settings(stop_after=3), Settings()
    with pytest.raises(KeyboardInterrupt):
        search(first, journal)
    tuning = search(second, journal, resume=True)
    assert len(first.tried) == 3
    assert len(second.tried) == 4
    assert all(setting not in first.tried for setting in second.tried)
    assert tuning.chosen == {"THREADS": "4", "KIND": "a"}
    again = Settings()
    assert search(again, journal, resume=True) == tuning
    assert again.tried == []


def test_without_resume_the_search_begins_anew(tmp_path: Path) -> None:
    settings = Settings()
    search(Settings(), tmp_path / "journal", space={"THREADS": ("1",)})
    search(settings, tmp_path / "journal", space={"THREADS": ("1",)})
    assert len(settings.tried) == 2


def test_a_search_that_was_killed_goes_on(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    script = f"""
        import os, signal, sys
        from pathlib import Path
        from tests.campaign.test_knobs import Settings, search

        class Dying(Settings):
            def measure(self, setting):
                if len(self.tried) == 4:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().measure(setting)

        search(Dying(), Path({str(journal)!r}))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == -signal.SIGKILL
    # As if the kill had come while a line was being written and the lock was held.
    with journal.open("ab") as stream:
        stream.write(b'{"op_code": 5, "wor')
    journal.with_name("journal.lock").symlink_to(journal)
    settings = Settings()
    tuning = search(settings, journal, resume=True)
    assert len(settings.tried) == 3
    assert len(tuning.trials) == 7


def test_a_journal_of_something_else_is_not_gone_on_from(tmp_path: Path) -> None:
    search(Settings(), tmp_path / "journal", space={"THREADS": ("1",)})
    with pytest.raises(ProfileError, match="of another container, sample or --tune"):
        search(Settings(), tmp_path / "journal", resume=True)


def test_no_working_setting_is_an_error_with_its_reasons(tmp_path: Path) -> None:
    def fails(setting: Mapping[str, str]) -> Trial:
        return Trial(environment=dict(setting), throughput_records_per_s=None, reason="no such model")

    with pytest.raises(ProfileError, match="no setting of THREADS worked: no such model"):
        tune({"THREADS": ("1", "2")}, fails, journal=tmp_path / "journal", subject="a model")


def test_values_are_listed_or_a_range() -> None:
    assert parse_values("1,2,4") == ("1", "2", "4")
    assert parse_values("1:3") == ("1", "2", "3")
    for wrong in ("3:1", "a:b", "1,,2", ""):
        with pytest.raises(ValueError):
            parse_values(wrong)
