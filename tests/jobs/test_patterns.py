import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.jobs.patterns import matches

TAG = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"[\S\s]*", "any\nthing\x00", True),
        (r".*", "one line", True),
        (r".*", "two\rlines", False),
        (r".*", "two\u2028lines", False),
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", "a--b", True),
        (r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", "a-", False),
        (r"[a-z]*", "abc\n", False),
        (TAG, "team:größe/42 東京", True),
        (TAG, "a*b", False),
        (TAG, "a]b", False),
        (TAG, "", True),
        (r"\p{L}+", "é", True),
        (r"\p{L}+", "1", False),
        (r"\p{Lu}", "É", True),
        (r"\p{Lu}", "é", False),
        (r"[.]", "a", False),
        (r"\.", "a", False),
    ],
)
def test_a_pattern_means_in_python_what_it_means_in_the_service_model(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@given(st.text(st.characters(categories=["L", "N", "Zs"])))
def test_letters_numbers_and_spaces_of_any_script_are_allowed_in_tags(text: str) -> None:
    assert matches(TAG, text)


@given(st.text(), st.sampled_from("*%$#!?&[]{}()\\^~<>|,;'\""), st.text())
def test_one_other_character_spoils_a_tag(before: str, bad: str, after: str) -> None:
    assert not matches(TAG, before + bad + after)
