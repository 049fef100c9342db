import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.interval import Z90, Interval

POSITIVE = st.floats(min_value=1e-6, max_value=1e6)


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    low, mid, high = sorted(draw(st.tuples(POSITIVE, POSITIVE, POSITIVE)))
    return Interval(low=low, mid=mid, high=high)


@pytest.mark.parametrize(("low", "mid", "high"), [(2, 1, 3), (1, 3, 2), (math.nan, 1, 2), (0, 1, math.inf)])
def test_an_interval_out_of_order_or_not_finite_is_refused(low: float, mid: float, high: float) -> None:
    with pytest.raises(ValueError, match="interval"):
        Interval(low=low, mid=mid, high=high)


@given(intervals(), intervals())
def test_a_product_is_wider_than_either_factor_and_narrower_than_both_at_once(a: Interval, b: Interval) -> None:
    product = a.times(b)
    assert product.mid == pytest.approx(a.mid * b.mid)
    up, a_up, b_up = (math.log(x.high / x.mid) for x in (product, a, b))
    assert max(a_up, b_up) <= up + 1e-9
    assert up <= a_up + b_up + 1e-9


@given(intervals(), intervals())
def test_a_sum_adds_its_bounds(a: Interval, b: Interval) -> None:
    total = a.plus(b)
    assert (total.low, total.mid, total.high) == (a.low + b.low, a.mid + b.mid, a.high + b.high)


@given(intervals(), intervals())
def test_overlap_is_mutual(a: Interval, b: Interval) -> None:
    assert a.overlaps(b) == b.overlaps(a)


def test_a_log_standard_deviation_gives_the_central_ninety_percent() -> None:
    interval = Interval.from_log_sd(10, 0.2)
    assert math.log(interval.high / 10) == pytest.approx(Z90 * 0.2)
    assert interval.low * interval.high == pytest.approx(100)
