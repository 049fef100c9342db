from planner import errors
from planner.errors import PlannerError


def _all_kinds(kind: type[PlannerError]) -> list[type[PlannerError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _all_kinds(child))]


def test_every_kind_of_failure_has_an_exit_code_of_its_own() -> None:
    codes = [kind.exit_code for kind in _all_kinds(PlannerError)]
    assert len(codes) == len(set(codes))


def test_no_exit_code_is_one_that_a_shell_click_or_python_uses() -> None:
    assert all(10 <= kind.exit_code < 126 for kind in _all_kinds(PlannerError))


def test_every_kind_says_in_its_docstring_when_it_is_raised() -> None:
    assert all(kind.__doc__ for kind in _all_kinds(PlannerError))
    assert errors.__doc__
