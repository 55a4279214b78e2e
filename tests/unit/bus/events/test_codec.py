"""Frames survive the trip both ways; whatever is not a frame is refused with a word to count it by."""

from __future__ import annotations

from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given

from tests.support.strategies import envelopes
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import MAX_FRAME_BYTES, Foreign, decode, encode, topic_prefix
from virnucpro_bus.events.encoder import encode_in_place_of
from virnucpro_bus.events.envelope import Envelope, make_envelope
from virnucpro_bus.events.kinds import KIND_OF, KINDS
from virnucpro_bus.events.run_events import FilesAssigned, PlannedFile
from virnucpro_bus.events.vocabulary import Fact, FileCompleted, QueueDepths


def frame_of(event: Fact) -> bytes:
    return encode(make_envelope(event, run="r", host="h", source="s", epoch=0, seq=1, wall_ns=2, mono_ns=3))


COMPLETED = FileCompleted("cpu:0", "a.fa", 1, 2000, 1.5)
FRAME = frame_of(COMPLETED)


def with_element(position: int, value: object) -> bytes:
    """The completed frame with one element of its envelope replaced."""
    parts = msgpack.unpackb(FRAME)
    parts[position] = value
    packed: bytes = msgpack.packb(parts)
    return packed


def with_field(name: str, value: object) -> bytes:
    """The completed frame with one field of its event replaced."""
    fields = [value if field == name else getattr(COMPLETED, field) for field in FileCompleted.__struct_fields__]
    return with_element(9, fields)


def with_raw_body(kind: str, body: bytes) -> bytes:
    """A frame of `kind` whose body is these very bytes."""
    return topic_prefix(kind) + b"\x01\xa0\xa0\xa0\x00\x01\x00\x00" + body


def refusal(frame: bytes) -> str:
    with pytest.raises(FrameError) as caught:
        decode(frame)
    return caught.value.reason


def plain(value: object) -> Any:
    """What a reader without our declarations sees: structs and tuples as lists."""
    match value:
        case msgspec.Struct():
            return [plain(each) for each in msgspec.structs.astuple(value)]
        case tuple():
            return [plain(each) for each in value]
    return value


@given(envelopes())
def test_every_envelope_survives_the_trip(envelope: Envelope) -> None:
    assert decode(encode(envelope)) == envelope


@given(envelopes())
def test_an_event_in_the_place_of_another_has_its_header(envelope: Envelope) -> None:
    read = decode(encode_in_place_of(encode(envelope), COMPLETED))
    assert read.event == COMPLETED
    for name in Envelope.__struct_fields__:
        assert getattr(read, name) == getattr(envelope, name)


@given(envelopes())
def test_the_frame_begins_with_its_topic(envelope: Envelope) -> None:
    assert encode(envelope).startswith(topic_prefix(KIND_OF[type(envelope.event)]))


@given(envelopes())
def test_a_reader_without_declarations_sees_the_same_values(envelope: Envelope) -> None:
    kind = KIND_OF[type(envelope.event)]
    assert msgpack.unpackb(encode(envelope)) == [kind, *plain(envelope)]


@given(envelopes())
def test_a_writer_without_declarations_makes_the_same_bytes(envelope: Envelope) -> None:
    kind = KIND_OF[type(envelope.event)]
    assert msgpack.packb([kind, *plain(envelope)]) == encode(envelope)


@given(envelopes())
def test_the_schema_less_path_reads_the_same_header_and_body(envelope: Envelope) -> None:
    parts = msgpack.unpackb(encode(envelope))
    assert decode(msgpack.packb(["a.newer/", *parts[1:]])) == Foreign("a.newer/", *parts[1:])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("duration_seconds", float("nan"), id="NaN"),
        pytest.param("duration_seconds", float("inf"), id="infinity"),
        pytest.param("duration_seconds", float("-inf"), id="negative infinity"),
        pytest.param("duration_seconds", -0.5, id="negative duration"),
        pytest.param("sequences", -1, id="negative count"),
        pytest.param("sequences", 2**63, id="count beyond 63 bits"),
        pytest.param("sequences", True, id="bool for a count"),
        pytest.param("sequences", 2.0, id="float for a count"),
        pytest.param("sequences", "2000", id="text for a count"),
        pytest.param("sequences", None, id="None for a count"),
        pytest.param("file", 7, id="count for a text"),
        pytest.param("device", "d" * 257, id="name too long"),
    ],
)
def test_a_known_kind_with_a_wrong_field_is_refused_as_bad_fields(field: str, value: object) -> None:
    assert refusal(with_field(field, value)) == "bad-fields"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("file", "x" * 4097, id="text too long"),
        pytest.param("file", b"a.fa", id="bytes for a text"),
    ],
)
def test_a_field_that_the_schema_less_path_may_not_hold_is_refused_as_a_bad_field(
    field: str, value: object
) -> None:
    assert refusal(with_field(field, value)) == "bad-fields"


@pytest.mark.parametrize(
    ("position", "value"),
    [
        pytest.param(1, True, id="bool for the version"),
        pytest.param(1, -1, id="negative version"),
        pytest.param(2, 5, id="count for the run"),
        pytest.param(3, None, id="None for the host"),
        pytest.param(4, "s" * 257, id="source too long"),
        pytest.param(5, -1, id="negative epoch"),
        pytest.param(6, 0, id="seq before the first"),
        pytest.param(7, 1.5, id="float for a time"),
        pytest.param(8, 2**63, id="time beyond 63 bits"),
    ],
)
def test_a_wrong_envelope_is_refused_as_bad_header(position: int, value: object) -> None:
    assert refusal(with_element(position, value)) == "bad-header"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"kind": "file.completed/"}, id="map"),
        pytest.param(7, id="number"),
        pytest.param([], id="empty array"),
        pytest.param(["file.completed/", 1, "r", "h", "s", 0, 1, 2, 3], id="nine elements"),
        pytest.param([5, 1, "r", "h", "s", 0, 1, 2, 3, []], id="number for the kind"),
        pytest.param(["file.completed", 1, "r", "h", "s", 0, 1, 2, 3, []], id="kind without its delimiter"),
        pytest.param(["/", 1, "r", "h", "s", 0, 1, 2, 3, []], id="empty kind"),
        pytest.param(["k" * 256 + "/", 1, "r", "h", "s", 0, 1, 2, 3, []], id="kind too long"),
    ],
)
def test_messagepack_that_is_not_an_event_is_refused_as_such(value: object) -> None:
    assert refusal(msgpack.packb(value)) == "not-an-event"


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(b"", id="empty frame"),
        pytest.param(FRAME + b"\x00", id="trailing garbage"),
        pytest.param(FRAME + FRAME, id="two frames in one"),
        pytest.param(FRAME.replace(b"a.fa", b"\xff.fa"), id="text that is not UTF-8"),
        pytest.param(FRAME.replace(b"a.fa", b"\xed\xa0\x80a"), id="lone surrogate"),
        pytest.param(b"\x91" * MAX_FRAME_BYTES, id="depth bomb"),
        pytest.param(with_raw_body("a.newer/", b"\x91" * 5_000 + b"\x90"), id="depth bomb in an unknown kind"),
        pytest.param(
            with_raw_body("file.started/", b"\x94\xa0\xa0\x00" + b"\x91" * 5_000), id="appended depth bomb"
        ),
        pytest.param(with_raw_body("run.assigned/", b"\x92\xa0\xdd\xff\xff\xff\xff"), id="array of four billion"),
        pytest.param(with_raw_body("queue.depths/", b"\x91\xdf\xff\xff\xff\xff"), id="map of four billion"),
        pytest.param(with_raw_body("a.newer/", b"\x81\x90\x01"), id="array for a key in an unknown kind"),
        pytest.param(with_raw_body("a.newer/", b"\xc4\x01a"), id="bin in an unknown kind"),
        pytest.param(with_raw_body("a.newer/", b"\xd6\xff\x00\x00\x00\x00"), id="ext in an unknown kind"),
        pytest.param(with_raw_body("a.newer/", b"\xdc\x00\x41" + b"\x00" * 65), id="65 items in an unknown kind"),
    ],
)
def test_bytes_beyond_the_format_or_its_limits_are_refused_as_not_messagepack(frame: bytes) -> None:
    assert refusal(frame) == "not-messagepack"


def test_a_frame_cut_at_any_byte_is_refused() -> None:
    assert {refusal(FRAME[:cut]) for cut in range(len(FRAME))} == {"not-messagepack"}


def test_a_frame_of_64_kib_is_read_and_one_byte_more_is_refused() -> None:
    def planned(filler: str) -> bytes:
        files = [PlannedFile("x" * 4096, 0, 0) for _ in range(15)]
        return frame_of(FilesAssigned("cpu:0", (*files, PlannedFile(filler, 0, 0))))

    room = MAX_FRAME_BYTES - len(planned("y" * 256)) + 256
    assert len(planned("y" * room)) == MAX_FRAME_BYTES
    assert isinstance(decode(planned("y" * room)), Envelope)
    assert refusal(planned("y" * (room + 1))) == "oversized"


def test_a_known_kind_may_hold_more_items_than_an_unknown_one() -> None:
    depths = QueueDepths({f"cpu:{n}": n for n in range(1000)})
    read = decode(frame_of(depths))
    assert isinstance(read, Envelope)
    assert read.event == depths


@pytest.mark.parametrize("kind", ["queue.depths/", "a.newer/"])
def test_of_two_equal_keys_in_a_map_the_last_one_counts(kind: str) -> None:
    read = decode(with_raw_body(kind, b"\x91\x82\xa1a\x01\xa1a\x02"))
    assert (plain(read.event) if isinstance(read, Envelope) else read.body) == [{"a": 2}]


@pytest.mark.parametrize("version", [0, 2, 2**63 - 1])
def test_another_version_of_a_known_kind_is_foreign(version: int) -> None:
    read = decode(with_element(1, version))
    assert isinstance(read, Foreign)
    assert (read.kind, read.version) == ("file.completed/", version)


def test_an_integer_is_read_where_a_float_is_declared() -> None:
    read = decode(with_field("duration_seconds", 3))
    assert isinstance(read, Envelope)
    assert isinstance(read.event.duration_seconds, float)


def test_an_eleventh_element_is_passed_over_but_no_subscription_matches_it() -> None:
    longer = msgpack.packb([*msgpack.unpackb(FRAME), "more"])
    assert decode(longer) == decode(FRAME)
    assert not longer.startswith(topic_prefix("file.completed/"))


def test_no_kind_is_the_beginning_of_another() -> None:
    prefixes = [topic_prefix(kind) for kind in KINDS]
    assert [(a, b) for a in prefixes for b in prefixes if a != b and b.startswith(a)] == []
