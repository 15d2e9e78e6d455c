"""Errors: every problem in one, and the exit codes."""

from __future__ import annotations

import signal

import pytest

from mims.errors import InputError, MimsError, Problems, ServiceError, Stopped


def test_exit_codes() -> None:
    assert MimsError("x").exit_code == 70
    assert InputError("x").exit_code == 1
    assert ServiceError("x").exit_code == 3
    assert Stopped(signal.SIGTERM).exit_code == 143


def test_one_problem_is_a_line_and_several_are_a_list() -> None:
    assert str(InputError("a")) == "a"
    assert str(InputError("a", "b")) == "2 problems:\n  - a\n  - b"


def test_problems_are_gathered() -> None:
    problems = Problems()
    problems.raise_any()
    for found in (("a",), ("b", "c")):
        with problems.gather():
            raise InputError(*found)
    with pytest.raises(InputError) as caught:
        problems.raise_any()
    assert caught.value.problems == ("a", "b", "c")


@pytest.mark.parametrize("error", [ServiceError("down"), Stopped(signal.SIGINT), ValueError()])
def test_only_input_errors_are_gathered(error: BaseException) -> None:
    with pytest.raises(type(error)), Problems().gather():
        raise error
