"""Servers that take more at once than their workers tell: more in flight is tried while it is better."""

import pytest

from planner.campaign.adaptive import run_adaptive
from planner.campaign.deciding import best_point, by_throughput
from planner.campaign.points import Point, candidates, checkerboard, concurrency_ladder, records_ladder
from planner.profiling.profile import Measurement
from tests.campaign.surfaces import Law, MadeUp, hill, plateau, profile_of

RECORDS, CONCURRENCIES = records_ladder(160), concurrency_ladder(2)


def in_places(places: int) -> Law:
    """A server that waits for something that takes so many requests at once."""
    return lambda point: (
        point.records_per_request / (8e-3 + 2e-5 * point.records_per_request) * min(point.concurrency, places)
    )


def measured(law: Law, held: list[Measurement] | None = None) -> tuple[MadeUp, list[Measurement]]:
    server = MadeUp(law)
    outcomes = run_adaptive(
        checkerboard(RECORDS, CONCURRENCIES, 160),
        candidates(RECORDS, CONCURRENCIES, 160),
        server.bench(),
        by_throughput(profile_of()),
        held=held or (),
        wider=lambda concurrency: candidates(RECORDS, (concurrency,), 160),
    )
    return server, [outcome for outcome in outcomes if isinstance(outcome, Measurement)]


@pytest.mark.parametrize("places", [12, 30])
def test_more_in_flight_is_tried_while_the_best_point_has_the_most(places: int) -> None:
    law = in_places(places)
    _, rows = measured(law)
    best = best_point(rows)
    assert best is not None
    found = law(Point(records_per_request=best.records_per_request, concurrency=best.concurrency))
    within = [point for c in (1, 8, 16, 32) for point in candidates(RECORDS, (c,), 160)]
    assert found >= 0.95 * max(map(law, within))


@pytest.mark.parametrize("law", [plateau, hill])
def test_a_server_that_gains_nothing_by_the_most_in_flight_is_not_asked_for_more(law: Law) -> None:
    server, _ = measured(law)
    assert max(point.concurrency for point in server.asked) <= CONCURRENCIES[-1]


def test_what_the_api_forbids_is_never_asked() -> None:
    server, _ = measured(in_places(1000))
    most = max(point.concurrency for point in server.asked)
    assert CONCURRENCIES[-1] < most <= 100


def test_a_resumed_session_goes_on_from_the_most_in_flight_that_it_holds() -> None:
    law = in_places(30)
    _, rows = measured(law)
    server, _ = measured(law, held=rows)
    assert max(point.concurrency for point in server.asked) >= 16
