"""Runs made in memory for the report, and pages read back as a browser reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

from monitor.report.page import make_page
from monitor.report.reported_run import ReportedRun
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.testing import Script
from virnucpro_bus.timeline.observers import observed_by
from virnucpro_bus.timeline.recorder import TimelineRecorder
from virnucpro_bus.whatif import WhatIf

GPUS = Device("GPU-a", "NVIDIA A100", 0), Device("GPU-b", "NVIDIA A100", 1)
NOT_SIMULATED = "The run was not simulated."
_VOID = {"meta", "br"}


def reported(
    script: Script,
    *,
    name: str = "first-run",
    what_if: WhatIf | str = NOT_SIMULATED,
    logs: Mapping[str, Sequence[str]] | None = None,
    warnings: Sequence[str] = (),
    broken_off: bool = False,
) -> ReportedRun:
    """The run of these events, as they were received when they were sent."""
    recorder = TimelineRecorder()
    fleet = FleetState(ManualClock(), handlers=observed_by(recorder.observers()))
    fleet.feed(script.frames(), [each.wall_ns for each in script.envelopes])
    if broken_off:
        fleet.break_off()
    timeline = recorder.finish(fleet.hosts())
    return ReportedRun(
        name, Recording(Path(f"{name}/run.vbus"), fleet, timeline, tuple(warnings)), what_if, logs or {}
    )


def small_run(*, ends: bool = True) -> Script:
    """Two GPUs and five files: one is stolen, one fails once, and the second GPU is not sampled for a while."""
    script = Script(host="node1")
    keys = [gpu.key for gpu in GPUS]
    plan = {keys[0]: ["a.fa"], keys[1]: ["b.fa", "c.fa", "d.fa", "e.fa"]}
    script.say("coordinator", ev.RunStarted("my_model:classify", "cost", GPUS, 5, "5e771265"))
    for key, files in plan.items():
        script.say("coordinator", ev.FilesAssigned(key, tuple(ev.PlannedFile(each, 900, 3) for each in files)))
    for at, gpu in enumerate(GPUS):
        script.say(f"worker-{at}", ev.WorkerStarted(gpu, 100 + at, is_loading=True))
    for at, key in enumerate(keys):
        script.say(f"worker-{at}", ev.Heartbeat(key, "idle", 0, 0, 0, 0, 0), after_seconds=1.0 - at)
    script.say("coordinator", ev.QueueDepths({keys[0]: 1, keys[1]: 4}))
    script.say("worker-0", ev.FileStarted(keys[0], "a.fa", 1))
    script.say("worker-1", ev.FileStarted(keys[1], "b.fa", 1))
    for second in range(1, 13):
        for at, gpu in enumerate(GPUS):
            if at == 0 or not 3 < second < 9:
                energy, watts = second * 300_000 + at, 250.0 + second
                sample = ev.GpuSampled(gpu, 60.0 + second, 50.0, 20 << 30, 40 << 30, 55.0, watts, False, energy)
                script.say("sampler", sample)
        script.clock.advance(1.0)
        if second == 3:
            script.say("worker-0", ev.FileCompleted(keys[0], "a.fa", 1, 120, 3.0))
            script.say("worker-0", ev.WorkStolen(keys[0], keys[1], "e.fa", 1, script.clock.wall))
            script.say("worker-0", ev.FileStarted(keys[0], "e.fa", 1))
        if second == 4:
            failed = ev.FileFailed(keys[1], "b.fa", 1, "RuntimeError: out of memory", 4.0, final=False)
            script.say("worker-1", failed)
            script.say("coordinator", ev.Notice("b.fa: attempt 1 on GPU 1 failed, and the file is tried again"))
            script.say("worker-1", ev.FileStarted(keys[1], "c.fa", 1))
        if second == 7:
            script.say("worker-0", ev.FileCompleted(keys[0], "e.fa", 1, 80, 4.0))
            script.say("worker-1", ev.FileCompleted(keys[1], "c.fa", 1, 100, 3.0))
            script.say("coordinator", ev.QueueDepths({keys[0]: 0, keys[1]: 1}))
            script.say("worker-1", ev.FileStarted(keys[1], "d.fa", 1))
            script.say("worker-0", ev.FileStarted(keys[0], "b.fa", 2))
        if second == 11 and ends:
            script.say("worker-0", ev.FileCompleted(keys[0], "b.fa", 2, 110, 4.0))
            script.say("worker-1", ev.FileCompleted(keys[1], "d.fa", 1, 90, 4.0))
            script.say("coordinator", ev.QueueDepths({keys[0]: 0, keys[1]: 0}))
    if ends:
        script.say("coordinator", ev.RunFinished(0, 5, 0))
    return script


class ParsedPage(HTMLParser):
    """A page as a browser reads it: its elements, attributes and texts. Fails where elements do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        """(element, attribute, value)"""
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        """All text, in one."""
        return "\n".join(self.texts)

    def values(self, attribute: str, element: str | None = None) -> list[str]:
        """The values of an attribute, of all elements or of those of one name."""
        return [v or "" for tag, key, v in self.attributes if key == attribute and element in (None, tag)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note the end of the innermost element."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text, but neither the style nor what is between elements."""
        if "style" not in self._open and data.strip():
            self.texts.append(data)


def page_of(*runs: ReportedRun) -> ParsedPage:
    """The page of these runs, read back."""
    return ParsedPage(make_page(runs, "1.2.3"))
