import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.units import parse_bytes, parse_seconds, show_bytes, show_rate, show_seconds, show_usd


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("45s", 45),
        ("250ms", 0.25),
        ("3600", 3600),
        ("1.5h", 5400),
        ("2d", 172800),
    ],
)
def test_known_durations_are_read(text: str, seconds: float) -> None:
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "count"),
    [("2g", 2 * 2**30), ("512m", 512 * 2**20), ("6MiB", 6_291_456), ("6MB", 6_000_000), ("1024", 1024), ("1 k", 1024)],
)
def test_known_sizes_are_read(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "  ", "soon", "10 parsecs", "-5s", "1h-5m", "m"])
def test_what_is_not_a_quantity_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        parse_seconds(text)


@given(st.integers(min_value=0, max_value=10**6))
def test_whole_seconds_survive_a_round_trip(seconds: int) -> None:
    hours, rest = divmod(seconds, 3600)
    assert parse_seconds(f"{hours}h{rest // 60}m{rest % 60}s") == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00085, "850 µs"),
        (0.0123, "12.3 ms"),
        (4.21, "4.21 s"),
        (200, "3 m 20 s"),
        (7500, "2 h 05 m"),
        (59.999, "60 s"),
        (3599.9, "1 h 00 m"),
    ],
)
def test_durations_are_shown_as_people_read_them(seconds: float, text: str) -> None:
    assert show_seconds(seconds) == text


def test_sizes_rates_and_dollars_are_shown_with_their_unit() -> None:
    assert show_bytes(17) == "17 B"
    assert show_bytes(6 * 2**20) == "6 MiB"
    assert show_bytes(1003.8 * 2**10) == "1,004 KiB"
    assert show_rate(12345.6, "records") == "12,346 records/s"
    assert show_usd(1234.5) == "$1,234.50"
    assert show_usd(0.0123) == "$0.0123"
