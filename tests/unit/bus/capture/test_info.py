"""What `info` finds in a capture."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest

from tests.support.captures import some_frames, spans, write_capture
from virnucpro_bus import events as ev
from virnucpro_bus.capture.info import capture_info
from virnucpro_bus.errors import CaptureError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.run_folder import RunFolder
from virnucpro_bus.testing import Script

FOREIGN = msgpack.packb(["new.kind/", 2, "run-2", "elsewhere", "w", 1, 1, 1, 1, ["x"]])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.vbus"


def test_it_tells_runs_hosts_devices_and_kinds(path: Path) -> None:
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (Device("GPU-b"), Device("GPU-a")), 2))
    script.say("w0", ev.WorkerStarted(Device("cpu:3"), 100))
    script.say("w0", ev.FileCompleted("cpu:3", "a.fa", 1, 5, 1.0))
    script.say("w0", ev.FileCompleted("cpu:3", "b.fa", 1, 5, 1.0))
    script.say("coordinator", ev.Heartbeat("", "idle", 0, 0, 0, 0, 0))
    records = write_capture(path, [*script.frames(), FOREIGN])
    info = capture_info(path)
    assert (info["runs"], info["hosts"]) == (["run-1", "run-2"], ["elsewhere", "node"])
    assert info["devices"] == ["GPU-a", "GPU-b", "cpu:3"]
    assert info["events_by_kind"] == {
        "file.completed/": 2,
        "new.kind/": 1,
        "run.started/": 1,
        "worker.heartbeat/": 1,
        "worker.started/": 1,
    }
    assert (info["events"], info["refused_frames"], info["damaged_places"]) == (6, 0, 0)
    assert (info["started_ns"], info["duration_seconds"]) == (records[0].received_ns, 5.0)
    assert (info["path"], info["size_bytes"]) == (str(path), path.stat().st_size)


def session(epoch: int, *, is_over: bool, host: str = "node") -> list[bytes]:
    script = Script(host=host)
    script.say("coordinator", ev.RunStarted("job", "off", (Device("cpu:0"),), 2), epoch=epoch)
    if is_over:
        script.say("coordinator", ev.RunFinished(0, 2, 0), epoch=epoch)
    return script.frames()


@pytest.mark.parametrize(
    ("frames", "ending"),
    [
        (session(1, is_over=True), "finished"),
        (session(1, is_over=False), "broken off"),
        ([*session(1, is_over=True), *session(2, is_over=False)], "broken off"),
        ([*session(1, is_over=False), *session(2, is_over=True)], "finished"),
        ([*session(1, is_over=True), *session(1, is_over=False, host="other")], "broken off"),
        (some_frames(2), None),
    ],
)
def test_how_the_run_has_ended_is_that_of_its_last_session(
    path: Path, frames: list[bytes], ending: str | None
) -> None:
    write_capture(path, frames)
    assert capture_info(path)["ending"] == ending
    folder = RunFolder(path.parent).claim()
    assert capture_info(path)["ending"] == ("in progress" if ending == "broken off" else ending)
    folder.release()


@pytest.mark.parametrize(
    ("event", "simulated"),
    [
        (ev.RunStarted("job", "off", (Device("sim:0"),), 2), True),
        (ev.GpuSampled(Device("GPU-a"), 50.0, simulated=True), True),
        (ev.GpuSampled(Device("GPU-a"), 50.0), False),
    ],
)
def test_simulated_gpus_are_marked(path: Path, event: ev.Fact, simulated: bool) -> None:
    script = Script()
    script.say("coordinator", event)
    write_capture(path, script.frames())
    assert capture_info(path)["simulated"] is simulated


def test_an_empty_capture_never_started(path: Path) -> None:
    write_capture(path, [])
    info = capture_info(path)
    assert (info["started_ns"], info["duration_seconds"], info["events"], info["runs"]) == (None, 0.0, 0, [])


def test_records_that_hold_no_event_are_counted(path: Path) -> None:
    write_capture(path, [*some_frames(3), b"\xc1", b""])
    info = capture_info(path)
    assert (info["events"], info["refused_frames"], info["damaged_places"]) == (3, 2, 0)


def test_damage_is_counted_to_the_byte(path: Path) -> None:
    records = write_capture(path, some_frames(30))
    data = bytearray(path.read_bytes())
    lost = 0
    for which in (3, 20):
        start, stop = spans(records)[which]
        data[start + 25] ^= 0x10
        lost += stop - start
    path.write_bytes(data)
    info = capture_info(path)
    assert (info["events"], info["damaged_places"], info["skipped_bytes"]) == (28, 2, lost)


def test_a_cut_off_end_is_counted_to_the_byte(path: Path) -> None:
    records = write_capture(path, some_frames(30))
    (start, stop), data = spans(records)[-1], path.read_bytes()
    for length in (start + 1, start + 19, start + 20, stop - 1):
        path.write_bytes(data[:length])
        assert capture_info(path)["skipped_bytes"] == length - start


def test_a_file_that_is_not_a_capture_is_refused(path: Path) -> None:
    path.write_text(">not\nACGT\n")
    with pytest.raises(CaptureError, match="is not a capture"):
        capture_info(path)
