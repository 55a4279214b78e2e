"""Areas below curves in braille."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.view.braille import area


def test_the_latest_value_is_at_the_right_and_what_is_not_known_is_blank() -> None:
    assert area([8.0], 8.0, 3, 2) == ["  ⢸", "  ⢸"]
    assert area([4.0, None, 8.0], 8.0, 2, 1) == ["⢠⢸"]


def test_each_step_of_a_line_is_a_dot() -> None:
    assert area([1, 2, 3, 4, 5, 6, 7, 8], 8.0, 4, 2) == ["  ⣠⣾", "⣠⣾⣿⣿"]


def test_a_value_of_zero_is_seen() -> None:
    assert area([0.0, 0.0], 0.0, 1, 1) == area([0.0, 0.0], 5.0, 1, 1) == ["⣀"]


VALUES = st.lists(st.none() | st.floats(0, 100), max_size=60)


@given(values=VALUES, cells=st.integers(1, 20), lines=st.integers(1, 6))
def test_an_area_has_the_wanted_size_and_as_many_dots_as_its_values_are_high(
    values: list[float | None], cells: int, lines: int
) -> None:
    drawn = area(values, 100.0, cells, lines)
    assert [len(line) for line in drawn] == [cells] * lines
    dots = sum((ord(character) - 0x2800).bit_count() for line in drawn for character in line.replace(" ", ""))
    shown = [value for value in values[-2 * cells :] if value is not None]
    assert dots == sum(max(1, round(value / 100 * 4 * lines)) for value in shown)
