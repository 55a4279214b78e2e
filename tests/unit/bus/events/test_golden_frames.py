"""The bytes of today are the bytes of tomorrow: one kept frame of every kind.

To rewrite them: `.venv/bin/python tests/unit/bus/events/test_golden_frames.py`.
Only an appended field may change one.
"""

from __future__ import annotations

from textwrap import wrap

import msgpack
import msgspec
import pytest

from tests.support.paths import GOLDEN
from virnucpro_bus import events as ev
from virnucpro_bus.events.codec import Foreign, decode, encode, topic_prefix

FRAMES = GOLDEN / "frames"
GPU = ev.Device("GPU-8d1f3b52-6c1e-4d0a-9b7e-2f5a60c4e911", "NVIDIA GeForce RTX 4090", 1)
CPU = ev.Device("cpu:0")
FILE = "data/müll 07.fa.gz"
ORIGIN = ev.Origin("0f1e", "2d3c", "4b5a", "6978")
STOLEN_AT_NS = 1_769_860_800_123_456_789

EXAMPLES: list[ev.Fact] = [
    ev.RunStarted("sixframe", "threshold", (GPU, CPU), 40, "5f1c", ev.Shard(1, 4, 160, "c0de")),
    ev.FilesAssigned(
        GPU.key, (ev.PlannedFile(FILE, 1_048_576, 3_000_000, "9a0b", ORIGIN, True), ev.PlannedFile("b.fa", 0, 0))
    ),
    ev.DeviceJoined(GPU),
    ev.RunDraining("SIGTERM"),
    ev.RunFinished(3, 39, 1),
    ev.Notice("worker-1 was killed by SIGKILL"),
    ev.WorkerStarted(GPU, 4711, True),
    ev.WorkerStopped(GPU.key, "no more files"),
    ev.WorkerLost(GPU.key, "worker-1", 2, "killed by SIGKILL", FILE, 1, CPU.key, STOLEN_AT_NS),
    ev.Heartbeat(GPU.key, "busy", 12, 1, 70_000, 3, 0),
    ev.FileStarted(GPU.key, FILE, 2),
    ev.FileProgress(GPU.key, FILE, 2, 1_500, 2_000),
    ev.FileCompleted("cpu:0", "sample/reads-07.fa", 1, 2000, 1.5),
    ev.FileFailed(GPU.key, FILE, 2, "no header line", 0.25),
    ev.FileResults(FILE, 2, 0, "", ("müll 07.tsv", "müll 07.d/100%25 %FF", "müll 07.d/")),
    ev.FileCommitted(GPU.key, FILE, 2, 2, 4_294_967_296, "e3b0c442", 2000, "7b4ab1b2"),
    ev.FileReopened(FILE, GPU.key, True, 2000, "the input has changed"),
    ev.FileRecognized(FILE, ORIGIN),
    ev.FileQuarantined(FILE, 3, "3 workers died on it"),
    ev.WorkStolen(GPU.key, CPU.key, FILE, 1, STOLEN_AT_NS),
    ev.QueueDepths({GPU.key: 17, CPU.key: 0}),
    ev.GpuSampled(GPU, 97.0, 62.5, 15_032_385_536, 25_757_220_864, 71.0, 402.875, False, 9_182_736_455),
    ev.CaptureHole(1_250, 131_072),
]


def addressed(event: ev.Fact) -> ev.Envelope:
    return ev.make_envelope(
        event,
        run="run-20260131",
        host="node07",
        source="worker-0",
        epoch=1,
        seq=42,
        wall_ns=1_769_860_801_000_000_000,
        mono_ns=987_654_321_000,
    )


def name_of(event: ev.Fact) -> str:
    return ev.KIND_OF[type(event)].rstrip("/")


def golden(event: ev.Fact) -> bytes:
    return bytes.fromhex((FRAMES / f"{name_of(event)}.hex").read_text())


def reframed(event: ev.Fact, position: int, value: object) -> bytes:
    """The golden frame of `event` with one element of the envelope replaced."""
    parts = msgpack.unpackb(golden(event))
    parts[position] = value
    packed: bytes = msgpack.packb(parts)
    return packed


every_kind = pytest.mark.parametrize("event", EXAMPLES, ids=name_of)


def test_there_is_one_golden_frame_for_every_kind() -> None:
    kept = {path.stem for path in FRAMES.glob("*.hex")}
    assert kept == {name_of(event) for event in EXAMPLES} == {kind.rstrip("/") for kind in ev.KINDS}


@every_kind
def test_todays_code_writes_the_golden_bytes(event: ev.Fact) -> None:
    assert encode(addressed(event)).hex() == golden(event).hex()


@every_kind
def test_todays_code_reads_the_golden_values(event: ev.Fact) -> None:
    assert decode(golden(event)) == addressed(event)


@every_kind
def test_a_subscription_to_the_kind_matches_the_golden_frame_and_no_other(event: ev.Fact) -> None:
    prefix = topic_prefix(ev.KIND_OF[type(event)])
    assert [other for other in EXAMPLES if golden(other).startswith(prefix)] == [event]


@every_kind
def test_a_field_that_a_newer_program_appended_is_passed_over(event: ev.Fact) -> None:
    newer = [*msgpack.unpackb(golden(event))[9], {"added": ["later", None]}]
    assert decode(reframed(event, 9, newer)) == addressed(event)


@every_kind
def test_fields_with_defaults_may_be_missing_from_an_older_frame(event: ev.Fact) -> None:
    values = msgpack.unpackb(golden(event))[9]
    defaults = event.__struct_defaults__
    required = len(values) - len(defaults)
    read = decode(reframed(event, 9, values[:required]))
    assert isinstance(read, ev.Envelope)
    assert msgspec.structs.astuple(read.event) == (*msgspec.structs.astuple(event)[:required], *defaults)


@every_kind
def test_an_unknown_kind_is_kept_whole(event: ev.Fact) -> None:
    body = msgpack.unpackb(golden(event))[9]
    read = decode(reframed(event, 0, "file.polished/"))
    assert isinstance(read, Foreign)
    assert (read.kind, read.seq, read.body) == ("file.polished/", 42, body)


@every_kind
def test_a_known_kind_of_a_newer_version_is_kept_but_not_interpreted(event: ev.Fact) -> None:
    read = decode(reframed(event, 1, 2))
    assert isinstance(read, Foreign)
    assert (read.kind, read.version) == (ev.KIND_OF[type(event)], 2)


if __name__ == "__main__":
    for example in EXAMPLES:
        lines = wrap(encode(addressed(example)).hex(), 64)
        (FRAMES / f"{name_of(example)}.hex").write_text("\n".join(lines) + "\n")
