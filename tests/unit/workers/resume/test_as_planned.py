"""Of each planned file what shows that it is as planned: the last plan counts, and it takes little memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.events.run_events import PlannedFile
from workers.resume.as_planned import AsPlanned

MANY = 1_000
FILE_BYTES = 260

plans = st.builds(
    PlannedFile,
    file=st.sampled_from("abc"),
    size_bytes=st.just(0),
    cost=st.just(0),
    identity=st.sampled_from(["", "i", "j"]),
    own_folder=st.sampled_from([None, False, True]),
)


@given(st.lists(plans))
def test_what_was_planned_last_of_a_file_counts(files: list[PlannedFile]) -> None:
    planned, last = AsPlanned(files), {file.file: file for file in files}
    assert planned.ids == last.keys()
    for name in "abc":
        assert planned.own_folder(name) == (last[name].own_folder if name in last else None)
        for identity in ("", "i", "j"):
            assert planned.has(name, identity) == (name in last and last[name].identity == identity != "")


def test_a_planned_file_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        planned = AsPlanned(
            PlannedFile(f"f{number:07}.fa", 0, 0, f"{number:0>32}", own_folder=False) for number in range(MANY)
        )
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(planned.ids) == MANY
    assert size_bytes / MANY < FILE_BYTES
