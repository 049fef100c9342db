"""What cutting the input into other objects would buy: the same question, asked of a better layout.

An object is never divided over instances, so few or uneven objects cost idle money, and many tiny ones cost requests
that are mostly empty. The layouts tried are those of equal objects, 10 to 1000 of them, each of at least 1 MB: below
that a request could not be filled.
"""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from planner.documents import replace as changed
from planner.planning.case import Case
from planner.planning.evaluate import Problem
from planner.planning.makespan import layout
from planner.planning.plan import Reshard
from planner.planning.rates import Model, rates
from planner.planning.search import Candidate, best, bounded
from planner.planning.space import every_packing, settings, undominated
from planner.records.dataset import Dataset, InputObject
from planner.units import MIB, show_bytes, show_seconds, show_usd

COUNTS: Final = (10, 30, 100, 300, 1000)
WORTH_SAYING: Final = 0.03
"""A gain below 3 % is not worth rewriting the input."""


def advice(case: Case, model: Model, choice: Candidate) -> Reshard | None:
    """The best layout of equal objects, where it beats the choice by 3 % or more of the objective; else None."""
    if case.dataset.split_type == "None" or not _may_gain(case, choice):
        return None
    found = list(_choices(case, model))
    if not found:
        return None
    by_time = case.wish.objective == "time"
    values = [near.finish_s if by_time else near.cost_usd for _, near in found]
    # The fewest objects that are within a percent of the best: more would only be more to handle.
    value, objects, near = min(
        ((value, *row) for value, row in zip(values, found, strict=True) if value <= 1.01 * min(values)),
        key=lambda row: row[1],
    )
    if value > (choice.finish_s if by_time else choice.cost_usd) * (1 - WORTH_SAYING):
        return None
    return Reshard(
        objects=objects,
        object_bytes=round(case.dataset.payload_bytes / objects),
        instance_type=case.problem.names[near.t],
        instance_count=near.n,
        cost_usd=near.cost_usd,
        finish_s=near.finish_s,
        saving_usd=choice.cost_usd - near.cost_usd,
        saving_s=choice.finish_s - near.finish_s,
    )


def _may_gain(case: Case, choice: Candidate) -> bool:
    """Whether objects stand in the way: fewer than instances may be had, unevenly shared, or requests mostly empty."""
    objects, n = case.problem.layout, choice.n
    pressed = case.wish.deadline_s is not None or case.wish.objective == "time"
    packing = case.problem.settings.packings[int(case.problem.settings.packing[choice.k])]
    empty = packing.records_per_request < 0.8 * packing.max_payload_mb * MIB / max(1.0, case.dataset.record_sizes.mean)
    uneven = float(objects.share.high[n - 1]) * n > 1.1
    return (pressed and objects.objects < case.problem.max_count) or uneven or (empty and objects.objects > COUNTS[-1])


def in_words(case: Case, better: Reshard) -> str:
    """The advice as a sentence."""
    time = show_seconds(better.finish_s)
    text = (
        f"Cut into {better.objects:,} objects of about {show_bytes(better.object_bytes)} instead of "
        f"{case.problem.layout.objects:,}, the input would need {better.instance_count} x {better.instance_type}: "
        f"{show_usd(better.cost_usd)} and {time}"
    )
    gain = (
        f"{show_seconds(better.saving_s)} sooner"
        if case.wish.objective == "time"
        else (f"{show_usd(better.saving_usd)} less")
    )
    return f"{text}, {gain}. To do it: {command(case.dataset, better.objects)}."


def command(dataset: Dataset, objects: int) -> str:
    """The command line that rewrites the input into so many objects; INPUT where the whole of it was not read here."""
    whole = dataset.input != "described" and all(item.copies == 1 for item in dataset.objects)
    source = shlex.quote(dataset.input) if whole else "INPUT"
    split = "" if dataset.split_type == "Line" else f" --split-type {dataset.split_type}"
    return f"planner reshard {source} --objects {objects} --output DIR{split}"


def _choices(case: Case, model: Model) -> Iterator[tuple[int, Candidate]]:
    """(number of objects, what would be chosen for them) for every layout that is tried and feasible."""
    for count in COUNTS:
        if count != case.problem.layout.objects and case.dataset.payload_bytes >= count * MIB:
            for near in best(bounded(_cut(case, model, count)), case.wish, types=case.allowed):
                yield count, near


def equal_objects(dataset: Dataset, count: int) -> Dataset:
    """The same records in `count` objects of equal size, one record more or less; request counts are not known."""
    each, larger = divmod(dataset.records, count)
    mean_bytes = dataset.payload_bytes / dataset.records
    largest = max(o.largest_record_bytes for o in dataset.objects)
    stored = sum(o.stored_bytes * o.copies for o in dataset.objects) / dataset.records
    runs = tuple(
        InputObject(
            key=f"part-{first:09d}",
            stored_bytes=round(records * stored),
            payload_bytes=round(records * mean_bytes),
            records=records,
            largest_record_bytes=largest,
            copies=copies,
        )
        for first, records, copies in ((0, each + 1, larger), (larger, each, count - larger))
        if copies
    )
    return changed(dataset, objects=runs, requests_by_payload_mb=None)


def _cut(case: Case, model: Model, count: int) -> Problem:
    data = equal_objects(case.dataset, count)
    columns = settings(undominated(every_packing(data)))
    return replace(
        case.problem,
        settings=columns,
        rates=rates(model, case.offers, columns, case.caps),
        layout=layout(data.objects, case.problem.max_count),
    )
