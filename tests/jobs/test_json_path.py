import re

import pytest

from planner.jobs.json_path import parse


@pytest.mark.parametrize(
    ("text", "is_by_index"),
    [
        ("$", True),
        ("$[1:]", True),
        ("$[0]", True),
        ("$[0,-1]", True),
        ("$[0, 5:]", True),
        ("$[:5]", True),
        ("$[*]", True),
        ("$[0][1]", False),
        ("$.features", False),
        ("$.id.*", False),
        ("$.my-field.sub_2", False),
        ("$['id','SageMakerOutput']", False),
        ("$.field1.['child1','child2']", False),
        ("$['a.b']", False),
    ],
)
def test_the_documented_forms_are_read(text: str, is_by_index: bool) -> None:
    assert parse(text).is_by_index is is_by_index


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not begin with"),
        ("features", "does not begin with"),
        ("$..a", "outside the supported subset at '..a'"),
        ("$[?(@.a>1)]", "outside the supported subset"),
        ("$.a.length()", "outside the supported subset at '()'"),
        ('$["a"]', "outside the supported subset"),
        ("$.", "outside the supported subset at '.'"),
        ("$[]", "outside the supported subset"),
        ("$[1:5:2]", "outside the supported subset"),
        ("$.field1.['child1','child2.grandchild']", "names a grandchild"),
    ],
)
def test_what_is_not_documented_is_refused_with_the_place(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse(text)


def test_single_indexes_are_kept_and_slices_are_not() -> None:
    assert parse("$[3,5:,-1]").indexes == (3, -1)
