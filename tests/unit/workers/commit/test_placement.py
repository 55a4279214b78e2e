"""The names of results: listed in a fixed order, and carried by events to the byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, encode
from virnucpro_bus.events.envelope import Sequencer
from virnucpro_bus.events.vocabulary import FileResults
from workers.commit.placement import Placement, list_names, names_in, results_events

components = st.binary(min_size=1, max_size=255).filter(lambda raw: not {0, ord("/")} & set(raw))
any_name = (
    st.lists(components.filter(lambda raw: raw not in (b".", b"..")), min_size=1, max_size=12)
    .map(b"/".join)
    .filter(lambda raw: len(raw) < 1300)
    .map(os.fsdecode)
)


def read_back(placement: Placement) -> Placement:
    """What a reader of the journal makes of the events."""
    names: tuple[str, ...] = ()
    folder = ""
    stamp = Sequencer(ManualClock(), source="coordinator", run="run")
    for part, event in enumerate(results_events("a.fa", 1, placement)):
        assert event.part == part
        assert len(encode(stamp.next_envelope(event))) <= MAX_FRAME_BYTES
        folder, more = names_in(event)
        names += more
    return Placement(folder, names)


@given(st.lists(any_name, max_size=100), st.sampled_from(["", "a.fa", "ä~2"]))
def test_any_names_come_through_the_events_to_the_byte(names: list[str], folder: str) -> None:
    placement = Placement(folder, tuple(names))
    assert read_back(placement) == placement


def test_very_many_names_take_several_events() -> None:
    placement = Placement("", tuple(f"a.{'x' * 200}{number}" for number in range(5_000)))
    assert read_back(placement) == placement


def test_a_name_that_no_event_can_hold_is_too_long() -> None:
    with pytest.raises(OSError, match="File name too long"):
        list(results_events("a.fa", 1, Placement("", ("/".join(["\x01" * 200] * 8),))))
    assert read_back(Placement("", ("/".join(["語" * 80] * 16),)))


def test_an_attempt_without_results_is_an_event_too() -> None:
    assert [event.names for event in results_events("a.fa", 1, Placement("", ()))] == [()]


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a//b", ".", "", "a%00b", "a/%2E%2E/b"])
def test_a_name_that_leads_out_of_the_results_folder_is_left_out(name: str) -> None:
    assert names_in(FileResults("a.fa", 1, 0, "", (name, "a.faa"))) == Placement("", ("a.faa",))
    if "%" not in name and name:
        assert names_in(FileResults("a.fa", 1, 0, name, ("a.faa",))).names == ()


def test_names_are_sorted_by_their_bytes_and_a_folder_follows_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    for name in (b"a", b"b/z", b"b/deep/x", b"c", b"\xff", "é".encode()):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    (tmp_path / "link").symlink_to("b")
    found = list_names(str(tmp_path))
    assert found == ("a", "b/deep/x", "b/deep/", "b/z", "b/", "c", "link", "é", "\udcff")
    assert Placement("", found).entries == 6


def test_folders_in_folders_may_be_very_many(tmp_path: Path) -> None:
    path = str(tmp_path)
    for _ in range(1500):
        path += "/d"
        os.mkdir(path)
    assert len(list_names(str(tmp_path))) == 1500
    while path != str(tmp_path):
        os.rmdir(path)  # pytest cannot remove so many
        path = os.path.dirname(path)
