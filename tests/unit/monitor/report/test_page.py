"""The whole page of runs made in memory.

Update the golden file with:  UPDATE_GOLDENS=1 .venv/bin/pytest tests/unit/monitor/report
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.markup.scales import WIDTH
from monitor.report.page import make_page
from monitor.report.reported_run import ReportedRun
from tests.support.captures import frames_of
from tests.support.harmful_texts import TEXTS, assert_all_is_seen, assert_harmless, marked
from tests.support.large_runs import large_run
from tests.support.layouts import complete_files, laid_out
from tests.support.paths import GOLDEN
from tests.support.reported_runs import GPUS, NOT_SIMULATED, ParsedPage, page_of, reported, small_run
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.testing import Script
from virnucpro_bus.timeline.observers import observed_by
from virnucpro_bus.timeline.recorder import TimelineRecorder
from workers.whatif.scenarios import compare

GOLDEN_PAGE = GOLDEN / "report" / "page.html"
MOST_BYTES = 2_000_000
NO_SCRIPT = {"script", "iframe", "img", "link", "object", "embed", "form", "input", "base"}


def compared(script: Script) -> ReportedRun:
    run = reported(script)
    return reported(script, what_if=compare(run.recording.fleet), logs={"logs/b.fa.1.log": ["Traceback", "  <b>"]})


def test_the_page_of_a_small_run_is_as_it_was() -> None:
    page = make_page([compared(small_run())], "1.2.3").replace("><", ">\n<")
    if os.environ.get("UPDATE_GOLDENS"):
        GOLDEN_PAGE.write_text(page, encoding="utf-8")
    assert page == GOLDEN_PAGE.read_text(encoding="utf-8")


def test_the_page_loads_nothing_runs_nothing_and_says_so_to_the_browser() -> None:
    page = page_of(compared(small_run()))
    assert NO_SCRIPT.isdisjoint(page.tags)
    assert [value for value in page.values("href") if not value.startswith("#")] == []
    assert page.values("src") == page.values("style") == []
    (policy,) = [each for each in page.values("content", "meta") if each.startswith("default-src 'none'")]
    style = re.search(r"<style>(.*?)</style>", make_page([reported(small_run())], ""), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in policy


def test_the_page_can_be_read_without_seeing_it() -> None:
    page = page_of(compared(small_run()))
    assert page.values("lang", "html") == ["en"]
    assert page.tags.count("h1") == page.tags.count("main") == 1
    assert page.values("role", "svg") == ["img"] * 5
    assert all(page.values("aria-label", "svg"))
    assert page.tags.count("table") == page.tags.count("caption") == 7
    links, names = page.values("href", "a"), page.values("id", "section")
    assert [f"#{name}" for name in names] == links


def test_the_page_says_what_happened() -> None:
    text = page_of(compared(small_run())).text
    assert "5 of 5 files done on 2 devices, none failed. Stealing: 1 steal, " in text
    assert "Job my_model:classify on node1, policy cost: finished with exit status 0." in text
    assert "c.fa: completed in 3.0 s, 100 sequences" in text
    assert "e.fa: completed in 4.0 s, 80 sequences, stolen from GPU 1" in text
    assert "b.fa: failed in 4.0 s, attempt 1, RuntimeError: out of memory" in text
    assert "done by attempt 2" in text
    assert "double the devices" in text


def rows_after(page: ParsedPage, caption: str) -> list[str]:
    return page.texts[page.texts.index(caption) :]


def test_the_slowest_files_have_the_figures_of_their_gpu_where_they_are_known() -> None:
    texts = rows_after(page_of(compared(small_run())), "The 5 files that took longest")
    e_fa, c_fa = texts.index("e.fa"), texts.index("c.fa")
    assert texts[e_fa : e_fa + 7] == ["e.fa", "GPU 0", "4.0 s", "80", "66 %", "20.0 GiB", "1,200 J"]
    # Its GPU was sampled just before and just after: the load between is unknown.
    assert texts[c_fa : c_fa + 7] == ["c.fa", "GPU 1", "3.0 s", "100", "n/a", "20.0 GiB", "900 J"]


def test_devices_that_share_a_gpu_or_use_several_have_the_figures_of_their_gpus() -> None:
    page = page_of(reported(complete_files(laid_out())))
    slow = rows_after(page, "The 3 files that took longest")
    found = {label: slow[slow.index(label) + 3 :][:3] for label in ("GPU 0#0", "GPU 0#1", "GPU 1+2")}
    shared = ["90 %", "0.0 GiB", "4 J"]
    assert found == {"GPU 0#0": shared, "GPU 0#1": shared, "GPU 1+2": ["30 %", "0.0 GiB", "8 J"]}
    devices = rows_after(page, "Devices; load, memory and energy are of all samples, from the first to the last")
    loads = {
        label: next(text for text in devices[devices.index(label) :] if text.endswith(" %")) for label in found
    }
    assert loads == {"GPU 0#0": "90 %", "GPU 0#1": "90 %", "GPU 1+2": "30 %"}


def test_every_worker_that_died_is_there_with_the_file_that_it_had() -> None:
    script = small_run(ends=False)
    gpu = GPUS[1].key
    script.say("coordinator", ev.WorkerLost(gpu, "worker-1", 1, "was killed", "d.fa", 1))
    script.say("coordinator", ev.WorkerLost(gpu, "worker-1", 2, "was killed again", "d.fa", 2))
    script.say("coordinator", ev.WorkerLost(gpu, "worker-1", 3, "did not start"))
    texts = rows_after(page_of(reported(script)), "What failed")
    lost = [texts[at - 6 : at + 1] for at, text in enumerate(texts) if text.startswith(("was killed", "did not"))]
    assert lost == [
        ["d.fa", "13.0 s", "1", "GPU 1", "lost", "n/a", "was killed"],
        ["no file", "13.0 s", "n/a", "GPU 1", "worker lost", "no file was affected", "did not start"],
        ["d.fa", "13.0 s", "2", "GPU 1", "worker lost", "it was not begun", "was killed again"],
    ]


def test_what_is_not_recorded_is_said_to_be_unknown() -> None:
    texts = rows_after(page_of(compared(small_run())), "Environment")
    assert texts[texts.index("command, program version and Python of the run") + 1] == "n/a"
    assert texts[texts.index("job") + 1] == "my_model:classify"


def test_a_run_that_is_going_on_says_so_and_shows_files_in_progress() -> None:
    page = page_of(reported(small_run(ends=False)))
    assert "The run on node1 is still going on: all figures are of the last event." in page.texts
    assert "in progress" in page.texts
    assert "d.fa: running in 4.0 s" in page.text


def test_a_run_that_was_killed_says_so() -> None:
    page = page_of(reported(small_run(ends=False), broken_off=True, warnings=["12 bytes are damaged"]))
    assert "Job my_model:classify on node1, policy cost: broken off." in page.text
    assert "12 bytes are damaged." in page.texts


def test_the_figures_of_a_resumed_run_are_of_its_last_session() -> None:
    script, gpu = Script(), GPUS[0]
    for session, (seconds, sequences) in enumerate([(50.0, 5_000), (3.0, 60)], start=1):
        script.say("coordinator", ev.RunStarted("job", "cost", (gpu,), 2), epoch=session, after_seconds=100.0)
        plan = tuple(ev.PlannedFile(f"{at}.fa", 1, 1) for at in range(session, 3))
        script.say("coordinator", ev.FilesAssigned(gpu.key, plan), epoch=session)
        script.say("worker-0", ev.WorkerStarted(gpu, session), epoch=session)
        script.say("worker-0", ev.FileStarted(gpu.key, f"{session}.fa", 1), epoch=session)
        done = ev.FileCompleted(gpu.key, f"{session}.fa", 1, sequences, seconds)
        script.say("worker-0", done, epoch=session, after_seconds=seconds)
    script.say("coordinator", ev.RunFinished(0, 2, 0), epoch=2)
    page = page_of(reported(script))
    at = page.texts.index("sequences a second")
    assert page.texts[at : at + 3] == ["sequences a second", "20.0", "5,060 sequences"]
    assert "times and the effect of stealing are of the last of 2 sessions." in page.text


def test_workers_without_a_launcher_have_a_page_without_an_effect() -> None:
    script, cpu = Script(), Device("cpu:0")
    script.say("w", ev.WorkerStarted(cpu, 1))
    script.say("w", ev.FileStarted("cpu:0", "a.fa"))
    script.say("w", ev.FileCompleted("cpu:0", "a.fa", 0, 7, 2.0), after_seconds=2.0)
    text = page_of(reported(script)).text
    assert "1 files done on 1 device, none failed" in text
    assert "The workers had no launcher and no plan." in text
    assert "3.5" in text.split("sequences a second")[1][:5]
    assert "unknown: no file was started, or the plan is incomplete." in text
    assert "No GPU was sampled." in text
    assert NOT_SIMULATED in text


def test_a_run_before_its_first_file_has_a_page() -> None:
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "cost", (Device("cpu:0"),), 3))
    text = page_of(reported(script)).text
    assert "0 of 3 files done" in text
    assert "No file was started." in text
    assert "Nothing is known of when it ran." in text


def test_several_runs_are_side_by_side_on_one_scale_of_time() -> None:
    one = reported(small_run(), name="one")
    page = page_of(one, reported(small_run(ends=False), name="two"))
    assert page.texts[0] == "Report of 2 runs - virnucpro-bus"
    side = rows_after(page, "The runs side by side")
    assert side[1:7] == ["figure", "one", "two", "files done", "5 of 5", "3 of 5"]
    assert rows_after(page, "The 8 files that took longest")[1:4] == ["run", "file", "device"]
    assert page.values("role", "svg") == ["img"] * 9
    ticks = [each for each in page.texts if re.fullmatch(r"(0|2\.0|12\.0) s", each)]
    assert ticks.count("12.0 s") >= 8


def test_devices_of_two_hosts_are_told_apart() -> None:
    fleet_runs = [frames_of("node-1"), frames_of("node-2")]
    recorder = TimelineRecorder()
    fleet = FleetState(ManualClock(), handlers=observed_by(recorder.observers()))
    for frames in fleet_runs:
        fleet.feed(frames, ManualClock().wall_ns())
    run = ReportedRun("r", Recording(Path("r"), fleet, recorder.finish(fleet.hosts()), ()), NOT_SIMULATED)
    page = page_of(run)
    assert {"node-1 node-1", "node-2 node-2"} <= set(page.texts)
    assert "Job node-1 on node-1" in page.text


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_nothing_of_an_event_becomes_an_element_or_drives_anything(texts: Callable[[int], list[str]]) -> None:
    expected = set(page_of(reported(small_run())).tags)
    for text in [*texts(250)[:40], "<script>alert(1)</script>", '"><svg onload=x>', "]]><style>", "--></title>"]:
        (shown,) = marked([text.encode(errors="ignore").decode()])  # no event holds half a surrogate pair
        script, device = Script(host=shown, run=shown), Device(shown[:256], shown[:256])
        script.say("coordinator", ev.RunStarted(shown, shown[:256], (device,), 2, shown[:256]))
        script.say("coordinator", ev.Notice(shown))
        script.say(shown, ev.WorkerStarted(device, 1))
        script.say(shown, ev.FileStarted(device.key, shown, 1))
        script.say(shown, ev.FileFailed(device.key, shown, 1, shown, 2.0), after_seconds=2.0)
        script.say(shown, ev.WorkStolen(device.key, device.key, shown, 2, 0))
        script.say(shown, ev.FileStarted(device.key, shown, 2))
        script.say("sampler", ev.GpuSampled(device, 10.0, 10.0, 1, 2, 3.0, 4.0), after_seconds=1.0)
        script.say(shown, ev.FileCompleted(device.key, shown, 2, 7, 2.0), after_seconds=1.0)
        page = page_of(reported(script, name=shown, logs={shown: [shown]}, warnings=[shown]))
        assert set(page.tags) <= expected | {"h3", "pre"}
        assert not [key for _, key, _ in page.attributes if key.startswith("on")]
        assert_harmless("\n".join([page.text, *page.values("aria-label")]))


def test_logs_that_end_in_the_same_lines_are_shown_once() -> None:
    logs = {"logs/a.fa.1.log": ["no"], "logs/a.fa.2.log": ["no"], "logs/worker-2.log": ["yes"]}
    texts = page_of(reported(small_run(), logs=logs)).texts
    heads = {"The last lines of logs/a.fa.1.log, logs/a.fa.2.log", "The last lines of logs/worker-2.log"}
    assert heads <= set(texts)


def test_a_reason_and_a_log_are_shown_whole() -> None:
    given = ["\x1b[2J<b>", "=1+1", "\u202eabc"]
    run = reported(small_run(), logs={"worker-0": marked(given)})
    assert_all_is_seen("\n".join(page_of(run).texts), given)


@pytest.fixture(scope="module")
def large() -> str:
    return make_page([reported(large_run(20_000, 16, seconds=600.0, sample_seconds=5.0))], "1")


def test_the_page_of_a_large_run_is_small(large: str) -> None:
    assert 100_000 < len(large) < MOST_BYTES


def test_nothing_is_drawn_outside_of_the_drawing(large: str) -> None:
    places = [float(x) for x in re.findall(r"[MLH](-?[\d.]+)", " ".join(ParsedPage(large).values("d", "path")))]
    assert len(places) > 10_000
    assert all(-1.0 <= x <= WIDTH for x in places)


def test_all_files_of_a_large_run_are_in_its_boxes(large: str) -> None:
    several = [int(each.replace(",", "")) for each in re.findall(r"<title>([\d,]+) attempts:", large)]
    single = re.findall(r"<title>sample_\d+\.fa: (?:completed|failed) in", large)
    attempts = re.search(r"Which device worked on what: ([\d,]+) attempts", large)
    assert attempts is not None
    assert sum(several) + len(single) == int(attempts[1].replace(",", "")) > 20_000


@pytest.mark.parametrize("devices", [40, 300])
def test_many_devices_have_thin_rows_and_still_more_are_shown_by_host(devices: int) -> None:
    page = page_of(reported(large_run(4 * devices, devices, seconds=60.0, sample_seconds=10.0)))
    assert len("".join(page.texts)) < MOST_BYTES
    assert ("There are too many devices for a row each" in page.text) == (devices == 300)
    assert ("node7: 300" in page.texts) == (devices == 300)
    assert page.values("class", "text").count("small") == (0 if devices == 300 else 2 * devices)
