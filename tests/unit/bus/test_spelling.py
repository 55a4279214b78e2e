"""A name that does not exist is answered with the one that was meant."""

from __future__ import annotations

import pytest

from virnucpro_bus.spelling import did_you_mean


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("sixfram", " (did you mean sixframe?)"),
        ("SixFrame", " (did you mean sixframe?)"),
        ("sixframe " + "x" * 10_000, ""),
        ("blast", ""),
        ("", ""),
        ("Odd\\n", r" (did you mean odd\x0a?)"),
    ],
)
def test_the_known_name_most_like_the_given_one_is_suggested(given: str, answer: str) -> None:
    assert did_you_mean(given, ["embed", "sixframe", "odd\n"]) == answer
