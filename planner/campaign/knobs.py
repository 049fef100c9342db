"""Which worker and thread settings: environment variables searched by Optuna, the container restarted for each.

The rule is handed `try_setting`, which measures one setting, and keeps every answer in a journal beside the profile:
a search that was killed goes on from there, and measures again only the setting that it was at.
"""

import itertools
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from planner.documents import replace
from planner.errors import DocumentError, ProfileError
from planner.profiling.tuning import Trial, Tuning

if TYPE_CHECKING:
    import optuna

MOST_TRIALS: Final = 16
"""A space of at most so many settings is tried whole; of a larger one so many settings, chosen by TPE."""
_STUDY: Final = "tuning"
_SEED: Final = 0

Space: TypeAlias = Mapping[str, tuple[str, ...]]
"""Values to try, by environment variable."""
TrySetting: TypeAlias = Callable[[Mapping[str, str]], Trial]
"""Values of the variables (none: the container as it was given) -> what came of it."""
Verify: TypeAlias = Callable[[Trial], float | None]
"""A trial -> records/s of its setting at its point measured anew, for longer; None where that failed."""
FINALISTS: Final = 2
"""So many of the best settings are measured again at the end: of many short trials the best one was also lucky."""


def parse_values(text: str) -> tuple[str, ...]:
    """The values of ``1,2,4`` or of the range ``1:8``, ends included. Raises ValueError."""
    low, colon, high = text.partition(":")
    if colon:
        first, last = int(low), int(high)
        if last < first:
            raise ValueError(f"{text!r} is a range that ends before it begins")
        return tuple(str(value) for value in range(first, last + 1))
    values = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if not all(values):
        raise ValueError(f"{text!r} holds an empty value")
    return values


def tune(
    space: Space,
    try_setting: TrySetting,
    *,
    journal: Path,
    subject: str,
    trials: int = MOST_TRIALS,
    verify: Verify | None = None,
    resume: bool = False,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Tuning:
    """The best of the settings tried: highest throughput, the container as it was given among them.

    With `verify` the two best are measured again, one after the other, and the one that is then better is chosen.
    `subject` says what is tuned: a journal of something else is not gone on from. Raises ProfileError for that, and
    when no setting worked.
    """
    study = _opened(space, journal, subject, trials, resume=resume)
    planned = 1 + min(trials, math.prod(map(len, space.values())))
    baseline = study.user_attrs.get("baseline")
    if baseline is None:
        progress("tuning: as given", 0, planned)
        baseline = _encoded(try_setting({}))
        study.set_user_attr("baseline", baseline)
    while (done := len(_finished(study))) < planned - 1:
        asked = study.ask()
        setting = {name: _suggested(asked, name, values) for name, values in space.items()}
        progress(f"tuning: {_named(setting)}", 1 + done, planned)
        known = [trial for trial in _finished(study) if dict(trial.environment) == setting]
        _tell(study, asked, known[0] if known else try_setting(setting))
    tried = (_decoded(baseline), *_finished(study))
    worked = [trial for trial in tried if trial.throughput_records_per_s is not None]
    if not worked:
        reasons = "; ".join(dict.fromkeys(trial.reason for trial in tried))
        raise ProfileError(f"no setting of {', '.join(space)} worked: {reasons}")
    worked.sort(key=lambda trial: -(trial.throughput_records_per_s or 0.0))
    if verify is None or len(worked) < FINALISTS:
        return Tuning(space=dict(space), chosen=dict(worked[0].environment), trials=tried)
    finalists = []
    for trial in worked[:FINALISTS]:
        progress(f"tuning: again {_named(trial.environment)}", planned, planned)
        finalists.append(_verified(study, trial, verify))
    best = max(finalists, key=lambda trial: trial.verified_records_per_s or 0.0)
    by_setting = {_named(trial.environment): trial for trial in finalists}
    checked = tuple(by_setting.get(_named(trial.environment), trial) for trial in tried)
    return Tuning(space=dict(space), chosen=dict(best.environment), trials=checked)


def _named(setting: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in setting.items()) or "as given"


def _verified(study: "optuna.Study", trial: Trial, verify: Verify) -> Trial:
    """The trial with what measuring its setting again said, now or before the session was killed."""
    key = f"verified {_named(trial.environment)}"
    if key not in study.user_attrs:
        study.set_user_attr(key, [verify(trial)])
    return replace(trial, verified_records_per_s=study.user_attrs[key][0])


def _opened(space: Space, journal: Path, subject: str, trials: int, *, resume: bool) -> "optuna.Study":
    """The study in the journal, made ready to go on: settings that were under way are tried again."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal.parent.mkdir(parents=True, exist_ok=True)
    # Nobody else writes this journal: a lock that is still there is of a session that was killed.
    journal.with_name(journal.name + ".lock").unlink(missing_ok=True)
    if not resume:
        journal.unlink(missing_ok=True)
    _without_torn_end(journal)
    identity = json.dumps({"subject": subject, "space": {name: list(values) for name, values in space.items()}})
    try:
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(journal))),
            study_name=_STUDY,
            direction="maximize",
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(seed=_SEED, n_startup_trials=max(4, trials // 2)),
        )
    except (ValueError, KeyError) as error:
        raise DocumentError(f"{journal}: not a journal of settings: {error}. Leave --resume out.") from error
    if study.user_attrs.get("identity", identity) != identity:
        raise ProfileError(
            f"{journal} is of another container, sample or --tune; leave --resume out, or write to another --output."
        )
    if "identity" not in study.user_attrs:
        study.set_user_attr("identity", identity)
    _enqueue(study, space, trials)
    return study


def _without_torn_end(journal: Path) -> None:
    """Cut a last line that was not written whole."""
    if journal.exists():
        content = journal.read_bytes()
        journal.write_bytes(content[: content.rfind(b"\n") + 1])


def _enqueue(study: "optuna.Study", space: Space, trials: int) -> None:
    """All settings of a small space, and in any case those that were under way when a session was killed."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        setting = trial.params or trial.system_attrs.get("fixed_params")
        if setting and "outcome" not in trial.user_attrs:
            study.enqueue_trial(setting)
    if math.prod(map(len, space.values())) <= trials:
        for values in itertools.product(*space.values()):
            setting = {name: _stored(space[name], value) for name, value in zip(space, values, strict=True)}
            study.enqueue_trial(setting, skip_if_exists=True)


def _is_ordered(values: tuple[str, ...]) -> bool:
    return all(value.isdigit() for value in values)


def _stored(values: tuple[str, ...], value: str) -> int | str:
    """How Optuna holds a value: numbers by their place, so that neighbours are neighbours to the sampler."""
    return values.index(value) if _is_ordered(values) else value


def _suggested(asked: "optuna.Trial", name: str, values: tuple[str, ...]) -> str:
    if _is_ordered(values):
        return values[asked.suggest_int(name, 0, len(values) - 1)]
    return str(asked.suggest_categorical(name, values))


def _tell(study: "optuna.Study", asked: "optuna.Trial", outcome: Trial) -> None:
    from optuna.trial import TrialState

    asked.set_user_attr("outcome", _encoded(outcome))
    if outcome.throughput_records_per_s is None:
        study.tell(asked, state=TrialState.FAIL)
    else:
        study.tell(asked, outcome.throughput_records_per_s)


def _finished(study: "optuna.Study") -> list[Trial]:
    """What came of the settings so far, in order."""
    found = study.get_trials(deepcopy=False)
    return [_decoded(t.user_attrs["outcome"]) for t in found if "outcome" in t.user_attrs and t.state.is_finished()]


def _encoded(trial: Trial) -> Any:
    return msgspec.to_builtins(trial)


def _decoded(value: Any) -> Trial:
    return msgspec.convert(value, Trial)
