"""Which numbers of a user's program are taken, and how a wrong one is refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.events.vocabulary import MAX_COUNT
from virnucpro_bus.passed_numbers import as_count, as_figure


@given(st.integers(-(2**70), 2**70) | st.floats() | st.fractions() | st.decimals(allow_nan=False))
def test_a_count_is_the_number_itself_or_is_refused(number: Any) -> None:
    is_count = number == number and abs(number) < 2**80 and number == int(number) and 0 <= number <= MAX_COUNT
    try:
        count = as_count("files", number)
    except ValueError:
        assert not is_count
    else:
        assert (count, type(count)) == (number, int)


@pytest.mark.parametrize("number", [True, "3", b"3", None, [3], 3j, object()])
def test_what_is_no_number_is_neither_a_count_nor_a_figure(number: Any) -> None:
    with pytest.raises(ValueError, match=r"^files: must be a count from 0 to \d+, not "):
        as_count("files", number)
    with pytest.raises(ValueError, match=r"^load: must be from 0 to 100 %, not "):
        as_figure("load", number, 0.0, 100.0, "%")


@pytest.mark.parametrize("number", [12.5, Fraction(25, 2), Decimal("12.5")])
def test_a_figure_of_any_library_is_a_float(number: Any) -> None:
    figure = as_figure("load", number, 0.0, 100.0)
    assert (figure, type(figure)) == (12.5, float)


@pytest.mark.parametrize("number", [-0.1, 100.1, float("nan"), float("inf"), -float("inf"), 10**400])
def test_a_figure_out_of_its_range_is_refused(number: Any) -> None:
    with pytest.raises(ValueError, match=r"^load: must be from 0 to 100, not "):
        as_figure("load", number, 0.0, 100.0)
