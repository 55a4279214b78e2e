"""The parts of a snapshot: short ones, however long the run, and refused if they do not belong together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.large_runs import large_run
from tests.support.runs import MadeRun, made_runs
from tests.support.snapshots import content_of, dumped, joined, parts_of
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.snapshot import format as snapshot_format
from virnucpro_bus.snapshot.format import _PART_BYTES, pack, unpack
from virnucpro_bus.snapshot.parts import COLLECTIONS
from virnucpro_bus.testing import Script


def folded(script: Script) -> FleetState:
    fleet = FleetState(ManualClock())
    fleet.feed(script.frames())
    return fleet


@pytest.fixture(scope="module")
def whole() -> bytes:
    """The snapshot of a run in which every collection but that of own folders has an entry."""
    script = large_run(400, 3, sample_seconds=0)
    script.say("coordinator", ev.FileQuarantined("bad.fa", 3, "killed three workers"))
    script.say("worker-9", ev.FilesAssigned("GPU-x", (ev.PlannedFile("own.fa", 1, 1),)))
    return dumped(folded(script))


def test_parts_are_short_however_long_the_run() -> None:
    fleet = folded(large_run(20_000, 3, sample_seconds=0))
    lengths = [len(part) for part in pack(fleet.fold())]
    assert sum(lengths) > 8 * _PART_BYTES
    assert max(lengths) < 4 * _PART_BYTES


def test_what_most_entries_share_is_in_a_part_once(whole: bytes) -> None:
    parts = parts_of(whole)
    _, _, _, keys, devices = content_of(parts, "_log")
    assert (len(keys), len(devices)) == (3, 16)
    assert whole.count(keys[0].encode()) < 100


@given(data=st.data(), run=made_runs())
def test_it_is_read_in_any_pieces(data: st.DataObject, run: MadeRun) -> None:
    snapshot = dumped(folded(run.script))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(snapshot)), max_size=9)))
    pieces = [snapshot[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(snapshot)], strict=True)]
    assert b"".join(pack(unpack(pieces))) == snapshot


def shorten(column: int) -> Callable[[Any], None]:
    return lambda content: content[column].pop()


@pytest.mark.parametrize(
    ("path", "spoil"),
    [
        *(("_log", shorten(column)) for column in (0, 1, 2, 4)),
        *(("_committed._last", shorten(column)) for column in (0, 1, 2, 3, 5)),
        ("_log.assigned", lambda content: content[0][1].pop()),
        ("_log.own_plans", lambda content: content[0][1][2].pop()),
        ("_log", lambda content: content[4].__setitem__(0, 99)),
        ("_committed._last", lambda content: content[5].__setitem__(0, 99)),
        ("_log", lambda content: content[4].__setitem__(0, -1)),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(
    whole: bytes, path: str, spoil: Callable[[Any], None]
) -> None:
    parts = parts_of(whole)
    spoil(content_of(parts, path))
    with pytest.raises(SnapshotError, match="damaged"):
        unpack([joined(whole, parts)])


@pytest.mark.parametrize("where", [(1, 0), (0, len(COLLECTIONS)), (-1, 0), (0, -1)], ids=str)
def test_a_part_of_no_host_or_collection_is_refused(whole: bytes, where: tuple[int, int]) -> None:
    with pytest.raises(SnapshotError, match="damaged"):
        unpack([joined(whole, [*parts_of(whole), (*where, {})])])


def test_bytes_behind_the_end_are_refused(whole: bytes) -> None:
    with pytest.raises(SnapshotError):
        unpack([whole, b"\0"])
    with pytest.raises(SnapshotError, match="after its end"):
        unpack([whole, b"\0" * 4])


def test_too_many_entries_and_too_many_bytes_are_refused(whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_format, "MAX_ENTRIES", 1_000)
    with pytest.raises(SnapshotError, match="more than 1000 entries"):
        unpack([whole])
    monkeypatch.undo()
    monkeypatch.setattr(snapshot_format, "MAX_BYTES", len(whole) - 1)
    with pytest.raises(SnapshotError, match=f"more than {len(whole) - 1} bytes"):
        unpack([whole])
