"""What comes of a scenario without stealing is computed, and is what a simulation would give."""

from __future__ import annotations

import math
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from workers.whatif.outcome import Outcome, outcome_without_stealing
from workers.whatif.simulator import SimDevice, SimFile, simulate

times = st.floats(0.0, 300.0)
files = st.lists(st.builds(SimFile, st.floats(0.0, 100.0), st.integers(0, 9)), max_size=25)


@st.composite
def lasting_fleets(draw: st.DrawFn) -> list[SimDevice]:
    """Devices that come late or never, get slower or faster, or join when the run knows nothing of them."""
    late = draw(st.lists(times, max_size=2).map(sorted))
    joins = [0.0, *draw(st.lists(st.one_of(st.just(0.0), times, st.just(inf)), max_size=4)), *late]
    first_late = len(joins) - len(late)
    return [
        SimDevice(
            draw(st.sampled_from([0.3, 1.0, 2.5])),
            draw(st.sampled_from([0.5, 1.0, 2.0])),
            tuple(sorted(draw(st.lists(st.tuples(times, st.sampled_from([0.2, 3.0])), max_size=2)))),
            joins_at_seconds=at,
            is_late=number >= first_late,
        )
        for number, at in enumerate(joins)
    ]


@given(files=files, fleet=lasting_fleets(), gap=st.sampled_from([0.0, 0.7]), data=st.data())
def test_without_stealing_the_sum_is_what_the_simulator_finds(
    files: list[SimFile], fleet: list[SimDevice], gap: float, data: st.DataObject
) -> None:
    plan = None
    if data.draw(st.booleans()):
        known = sum(not device.is_late for device in fleet)
        owners = [data.draw(st.integers(0, known - 1)) for _ in files]
        plan = [[file for file, owner in enumerate(owners) if owner == device] for device in range(known)]
    simulated = simulate(files, fleet, "off", plan=plan, gap_seconds=gap)
    assert outcome_without_stealing(files, fleet, plan=plan, gap_seconds=gap) == Outcome(
        simulated.makespan_seconds, math.fsum(simulated.busy_seconds), 0, None not in simulated.worked_by
    )
