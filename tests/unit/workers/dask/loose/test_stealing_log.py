"""What Dask's scheduler logs of its stealing, as real ones of two versions have: tests/data/dask."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import ROOT

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from workers.dask.loose.stealing_log import DaskSteal, steals_in

VICTIM, THIEVES = "tcp://127.0.0.1:40001", {"tcp://127.0.0.1:40002", "tcp://127.0.0.1:40003"}
CONFIRMED = ("confirm", "nap-2", "ready", "tcp://a:1", "tcp://b:2", "steal-0")
STEAL = DaskSteal("nap-2", "tcp://a:1", "tcp://b:2")


def as_sent(message: object) -> object:
    """A recorded message as a client gets it: Dask's tuples stay tuples."""
    return tuple(map(as_sent, message)) if isinstance(message, list) else message


# Each: 30 tasks of one worker of three, of which the others have stolen some.
@pytest.mark.parametrize(("version", "steals", "others"), [("2025.1.0", 18, 15), ("2026.8.0", 18, 9)])
def test_the_steals_of_a_real_scheduler_are_those_that_it_has_confirmed(
    version: str, steals: int, others: int
) -> None:
    messages = json.loads((ROOT / f"tests/data/dask/stealing-{version}.json").read_text())
    found = [list(steals_in(as_sent(message))) for message in messages]
    moved = [steal for each in found for steal in each]
    assert (len(moved), found.count([])) == (steals, others)
    assert {steal.victim for steal in moved} <= {VICTIM, *THIEVES}
    assert {steal.thief for steal in moved} >= THIEVES
    assert all(steal.key.startswith("nap-") and steal.thief != steal.victim for steal in moved)


def test_entries_that_come_together_are_read_one_by_one_and_later_fields_are_ignored() -> None:
    request = ("request", ((1.0, 0, "nap-2", 0.5, "tcp://a:1", 3.0, "tcp://b:2", 0.0),))
    assert list(steals_in([request, (*CONFIRMED, "of a later version")])) == [STEAL]


@pytest.mark.parametrize(
    "message",
    [
        None,
        "confirm",
        (),
        ("confirm",),
        ("confirm", "nap-2", "ready", "tcp://a:1"),
        ("confirm", ("nap", 2), "ready", "tcp://a:1", "tcp://b:2"),
        ("already-computing", *CONFIRMED[1:]),
        ("of-a-later-version", *CONFIRMED[1:]),
        {"action": "confirm"},
        [[CONFIRMED]],
    ],
    ids=repr,
)
def test_a_message_that_is_not_known_is_no_steal(message: object) -> None:
    assert list(steals_in(message)) == []


@given(
    st.recursive(
        st.one_of(st.none(), st.floats(), st.sampled_from(["confirm", "request", "x"])),
        lambda inner: st.one_of(st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(st.text(), inner)),
    )
)
def test_whatever_comes_nothing_is_raised(message: object) -> None:
    for steal in steals_in(message):
        assert all(isinstance(part, str) for part in steal)
