"""Whatever a caller passes, an event either is refused by name or can be read by every hub."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import decode, encode
from virnucpro_bus.events.envelope import make_envelope
from virnucpro_bus.publish import worker_events
from virnucpro_bus.publish.values import as_event_name, as_file_name

MAKERS = {
    worker_events.file_started: 2,
    worker_events.file_progress: 4,
    worker_events.file_completed: 4,
    worker_events.file_failed: 4,
    worker_events.work_stolen: 4,
}
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text(st.characters(categories=["Cs"])),
    st.binary(),
    st.lists(st.integers(), max_size=2),
    st.complex_numbers(),
    st.timedeltas().map(timedelta.__neg__),
    st.text().map(Path),
    st.text().map(ValueError),
    st.sampled_from([UserError(), object(), object]),
)


@given(st.data())
def test_an_event_is_refused_or_readable(data: Any) -> None:
    make = data.draw(st.sampled_from(list(MAKERS)))
    values = data.draw(st.lists(VALUES, min_size=MAKERS[make], max_size=MAKERS[make]))
    try:
        event = make("cpu:0", as_file_name(values[0]), *values[1:])
    except ValueError:
        return
    envelope = make_envelope(event, run="r", host="h", source="s", epoch=1, seq=1, wall_ns=1, mono_ns=1)
    assert decode(encode(envelope)).event == event


@given(st.text(st.sampled_from("a.ü/\udcff"), min_size=1) | st.text(st.just("a"), min_size=990, max_size=1_010))
def test_a_file_is_called_by_the_last_part_of_its_path(path: str) -> None:
    last = os.path.basename(path.rstrip("/")) or path
    assert as_file_name(path) == as_file_name(os.fsencode(path)) == as_event_name(last)
