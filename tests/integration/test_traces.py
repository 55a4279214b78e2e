"""Traces as Perfetto's own trace processor reads them: what it finds in them is what happened in the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby

import pytest

from tests.support.chromium import Chromium
from tests.support.paths import DATA
from tests.support.raw_captures import Event, read_events
from tests.support.recordings import recorded
from tests.support.trace_processor import TraceProcessor, perfetto_ui
from tests.support.traced_runs import eventful_run, harmful_runs, read
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.exporters import Exporter, RowOptions
from virnucpro_bus.sources.recording import Recording, read_recording
from virnucpro_bus.traces import chrome_trace, perfetto_trace
from virnucpro_bus.traces.layout import rows_of

MICROSECOND = 1_000
both_formats = pytest.mark.parametrize(
    ("exporter", "exact_ns"),
    [(chrome_trace.EXPORTER, MICROSECOND), (perfetto_trace.EXPORTER, 1)],
    ids=["chrome-trace", "perfetto"],
)


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TraceProcessor]:
    """One for all, since the browser takes longer to start than all traces to load."""
    with perfetto_ui() as address, Chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield TraceProcessor(browser, address)


def load(processor: TraceProcessor, exporter: Exporter, *recordings: Recording) -> None:
    (document,) = exporter.export(recordings, RowOptions())
    processor.load(b"".join(document.content))
    assert processor.import_errors() == []


def counts_of(events: list[Event]) -> Counter[str]:
    """What the trace of a run is to contain, by the events on record."""
    counts = Counter(event.kind for event in events)
    stolen = {tuple(event.fields[at] for at in (0, 2, 3)) for event in events if event.kind == "work.stolen/"}
    ends = [event for event in events if event.kind in ("file.completed/", "file.failed/")]
    is_stolen = [tuple(event.fields[:3]) in stolen for event in ends if event.kind == "file.completed/"]
    return +Counter(
        {
            "own": is_stolen.count(False),
            "stolen": is_stolen.count(True),
            "failed": counts["file.failed/"],
            # These captures are older than the field that reports it.
            "loading": sum(event.fields[2:3] == [True] for event in events if event.kind == "worker.started/"),
            "session": counts["run.started/"],
            "steal": counts["work.stolen/"],
            "worker lost": counts["worker.lost/"],
            "notice": counts["run.notice/"],
        }
    )


def changes_of(events: list[Event]) -> Counter[str]:
    """How often each counter is to change, by the events on record."""
    pending: list[int] = []
    files: dict[str, int] = {}
    for event in (event for event in events if event.kind == "queue.depths/"):
        files |= event.fields[0]
        pending.append(sum(files.values()))
    counts = Counter(pending=len(list(groupby(pending))))
    samples = sorted((e.fields[0][0], e.mono_ns, e.fields) for e in events if e.kind == "gpu.sampled/")
    for _, of_one in groupby(samples, key=lambda each: each[0]):
        fields = [each[2] for each in of_one]
        for name, at in (("compute", 1), ("memory", 3), ("power", 6), ("temperature", 5)):
            counts[name] += len(list(groupby(each[at] for each in fields)))
    return +counts


@both_formats
@pytest.mark.parametrize("name", ["resumed", "simulated"])
def test_all_of_a_recorded_run_is_in_its_trace(
    processor: TraceProcessor, exporter: Exporter, exact_ns: int, name: str
) -> None:
    path = DATA / "captures" / name / "run.vbus"
    events = read_events(path)
    load(processor, exporter, read_recording(path, ManualClock()))
    assert dict(processor.query("select category, count() from slice group by 1")) == counts_of(events)
    assert processor.query("select count() from flow") == [(counts_of(events)["steal"],)]
    figures = processor.query(
        "select track.name, count() from counter join track on track.id = counter.track_id group by track.id"
    )
    drawn = Counter[str]()
    for figure, values in figures:
        (known,) = [each for each in changes_of(events) if each in figure.split()]
        drawn[known] += values
    assert drawn == changes_of(events)
    # Of the times that devices had a file, to the precision of the format.
    ended = [event.fields[4] for event in events if event.kind in ("file.completed/", "file.failed/")]
    files = "('own', 'stolen', 'failed')"
    ((busy_ns,),) = processor.query(f"select sum(dur) from slice where category in {files}")
    assert busy_ns == pytest.approx(sum(map(float, ended)) * NANOSECONDS, abs=exact_ns * len(ended))


@both_formats
def test_every_slice_is_in_its_row(processor: TraceProcessor, exporter: Exporter, exact_ns: int) -> None:
    recording = recorded(eventful_run(), eventful_run("node-b", name="other"))
    load(processor, exporter, recording)
    expected = []
    for row in read(rows_of([recording])):
        for each in row.slices:
            start_ns, end_ns = (at_ns // exact_ns * exact_ns for at_ns in (each.start_ns, each.end_ns))
            expected.append((row.name, each.name, start_ns, end_ns - start_ns))
    found = processor.query(
        "select coalesce(thread.name, track.name), slice.name, slice.ts, slice.dur from slice "
        "join track on track.id = track_id "
        "left join thread_track on thread_track.id = track_id left join thread using (utid)"
    )
    assert sorted(found) == sorted(expected)


def test_hosts_of_one_name_stay_apart_in_a_perfetto_trace(processor: TraceProcessor) -> None:
    recording = recorded(eventful_run())
    load(processor, perfetto_trace.EXPORTER, recording, recording)
    assert processor.query("select name from track where parent_id is null") == [("run.vbus, node-a",)] * 2


@both_formats
def test_an_arrow_leads_from_the_steal_to_the_stolen_file(
    processor: TraceProcessor, exporter: Exporter, exact_ns: int
) -> None:
    load(processor, exporter, recorded(eventful_run(), eventful_run("node-b", name="other")))
    assert sorted(
        processor.query(
            "select a.name, b.name from flow join slice a on a.id = slice_out join slice b on b.id = slice_in"
        )
    ) == [
        ("GPU 1 steals other_3.fa", "other_3.fa (lost)"),
        ("GPU 1 steals sample_3.fa", "sample_3.fa (lost)"),
    ]


@both_formats
def test_harmful_names_and_several_runs_are_read_without_an_error(
    processor: TraceProcessor, exporter: Exporter, exact_ns: int
) -> None:
    recordings = list(harmful_runs())
    load(processor, exporter, *recordings)
    read_names = [name for (name,) in processor.query("select name from slice where category = 'own'")]
    names = [each.name for row in read(rows_of(recordings)) for each in row.slices if each.kind == "own"]
    # It doubles each backslash that it reads from JSON.
    assert sorted(each.replace("\\", "") for each in read_names) == sorted(
        each.replace("\\", "") for each in names
    )
