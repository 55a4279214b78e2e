"""The last completed files of a host, whatever the order in which they were told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.events.vocabulary import FileCompleted
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.fold.windows import KEPT_FILES
from virnucpro_bus.testing import Script


def script_of(files: int, *pauses: float) -> Script:
    script = Script()
    for at in range(files):
        pause = pauses[at % len(pauses)]
        script.say(f"w{at % 3}", FileCompleted("GPU-a", f"{at}.fa", 1, 1, 0.5), after_seconds=pause)
    return script


def names(fold: HostFold) -> list[str]:
    return [record["file"] for record in fold.files()]


def test_the_last_hundred_are_kept_oldest_first() -> None:
    fold = HostFold("node")
    fold.apply_all(script_of(KEPT_FILES + 20, 1).envelopes)
    assert names(fold) == [f"{at}.fa" for at in range(20, KEPT_FILES + 20)]


@given(data=st.data(), pauses=st.lists(st.sampled_from([0.0, 0.1]), min_size=1, max_size=5))
def test_any_order_of_arrival_keeps_the_same(data: st.DataObject, pauses: list[float]) -> None:
    said = script_of(130, *pauses).envelopes
    in_order, shuffled = HostFold("node"), HostFold("node")
    in_order.apply_all(said)
    at = data.draw(st.lists(st.integers(0, len(said) - 1), max_size=40))
    moved = [said[each] for each in at]
    shuffled.apply_all([*moved, *reversed(said[60:]), *said])
    assert names(shuffled) == names(in_order)


def test_many_late_ones_are_put_in_their_place_before_they_are_too_many() -> None:
    said = script_of(2_000, 1).envelopes
    fold = HostFold("node")
    fold.apply_all(reversed(said))
    assert len(fold._completions._late) < 600
    assert names(fold) == [f"{at}.fa" for at in range(1_900, 2_000)]
