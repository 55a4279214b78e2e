"""The table of devices: which columns and rows it has, and what stands in them, in which colour."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from monitor.model.selection import EVERYTHING, ViewOptions
from monitor.model.view_model import Trend, ViewModel, device_key
from monitor.view.columns import COLUMNS
from monitor.view.frame import frame
from tests.support.pictures import (
    FINISHED,
    IN_TROUBLE,
    LOADING,
    ON_CPUS,
    ON_CPUS_MEASURED,
    ONE_MODEL,
    SIMULATED,
    STALE,
    WITH_EFFECT,
    colour_of,
    placed,
    plain,
    row,
    snapshot,
    with_rows,
)
from virnucpro_bus.display_names import COLUMN_NAMES
from virnucpro_bus.health.rows import DeviceWork, Row

MEMORIES = ("A100-SXM4-40GB", "A100-SXM4-80GB")


def header(shot: ViewModel, width: int, options: ViewOptions = EVERYTHING) -> list[str]:
    return next(text for text in plain(shot, width, 24, options).splitlines() if "DEVICE" in text).split()


def alone(state: str = "busy", /, **figures: float) -> ViewModel:
    """One device, with these figures of the driver."""
    metrics, utilization = row(0, state)
    return replace(snapshot(), rows=((metrics, {**utilization, **figures}),), health=())  # type: ignore[typeddict-item]


class Unformatted(dict[str, object]):
    """The metrics of a device that does not let its file be asked for, as only what is shown of it needs that."""

    def __getitem__(self, key: str) -> object:
        assert key != "current_file"
        return super().__getitem__(key)


def test_rows_of_other_pages_are_not_formatted() -> None:
    shown = snapshot(15).rows
    others = tuple(
        (cast(DeviceWork, Unformatted(metrics)), utilization) for metrics, utilization in snapshot(4096).rows[15:]
    )
    assert "rows 1-15 of 4096, page 1/274" in plain(replace(snapshot(8, ()), rows=shown + others), 80, 24)


def test_the_run_is_shown_only_where_a_host_has_several() -> None:
    apart = replace(snapshot(2), rows=(placed(0, "a", "r1"), placed(0, "b", "r2")))
    together = replace(snapshot(2), rows=(placed(0, "a", "long/way/to/r1"), placed(0, "a", "long/way/to/r2")))
    assert ("HOST" in header(apart, 80), "RUN" in header(apart, 80)) == (True, False)
    assert ("HOST" in header(together, 80), "RUN" in header(together, 80)) == (False, True)
    assert all(f"to/{run}" in plain(together, 80, 24) for run in ("r1", "r2"))


@given(width=st.integers(20, 250))
def test_no_header_is_ever_cut(width: int) -> None:
    assert set(header(snapshot(), width)) <= {
        *("DEVICE", "NAME", "STATE", "COMPUTE", "MAX", "LOAD", "MEMORY", "SEQ/S", "RATE", "QUEUE", "DONE", "FAIL"),
        *("STEALS", "TEMP", "POWER", "FILE"),
    }


def test_at_80_cells_the_files_in_progress_are_named() -> None:
    assert header(ONE_MODEL, 80)[1:] == [
        *("COMPUTE", "MEMORY", "SEQ/S", "QUEUE", "DONE", "FAIL", "STEALS", "FILE"),
    ]


def test_at_100_cells_the_load_of_one_model_has_a_sparkline() -> None:
    assert header(ONE_MODEL, 100)[1:] == [
        *("COMPUTE", "LOAD", "MEMORY", "SEQ/S", "QUEUE", "DONE", "FAIL", "STEALS", "TEMP", "FILE"),
    ]
    first = next(text for text in plain(ONE_MODEL, 100, 24).splitlines() if "GPU 0" in text)
    assert first.split()[4] == "▇▇▇▇▇▇▇▇"


def test_at_80_cells_different_models_are_named_in_place_of_the_files() -> None:
    assert header(snapshot(), 80)[1:] == [
        *("NAME", "COMPUTE", "MEMORY", "SEQ/S", "QUEUE", "DONE", "FAIL", "STEALS", "TEMP"),
    ]
    rows = [text.split() for text in plain(snapshot(), 80, 24).splitlines() if " GPU " in text]
    assert [words[3] for words in rows[:4]] == ["4090", "A6000", "H100", "V100"]


@pytest.mark.parametrize(("width", "names"), [(74, ["A100 40GB", "A100 80GB"]), (80, list(MEMORIES))])
def test_models_that_differ_in_their_memory_are_named_with_it(width: int, names: list[str]) -> None:
    rows: list[Row] = []
    for index, name in enumerate(MEMORIES):
        metrics, utilization = row(index)
        rows.append(({**metrics, "device_name": f"NVIDIA {name}"}, utilization))
    picture = plain(replace(snapshot(), rows=tuple(rows)), width, 24)
    assert [f"GPU {index}   {name}  " in picture for index, name in enumerate(names)] == [True, True]


def test_a_column_is_as_wide_as_its_header_however_short_the_names_are() -> None:
    rows: list[Row] = []
    for index, name in enumerate(("A", "B")):
        metrics, utilization = row(index)
        rows.append(({**metrics, "device_name": name}, utilization))
    header_text, first, *_ = plain(replace(snapshot(), rows=tuple(rows)), 120, 24).splitlines()[3:]
    assert header_text.index("COMPUTE") + len("COMPUTE") == first.index("97%") + len("97%")


@pytest.mark.parametrize("width", range(60, 200, 10))
def test_names_that_do_not_fit_are_shortened_in_every_row_alike(width: int) -> None:
    picture = plain(snapshot(), width, 24)
    assert ("RTX 4090 " in picture) == ("RTX A6000 " in picture) == ("H100 80GB HBM3 " in picture)


def test_at_120_cells_the_rate_has_one_too() -> None:
    assert {"RATE", "POWER"} < set(header(ONE_MODEL, 120))


def test_a_model_that_all_devices_share_is_named_once() -> None:
    picture = plain(ONE_MODEL, 250, 24)
    assert "NAME" not in header(ONE_MODEL, 250)
    assert picture.count("A100-SXM4-80GB") == 1
    assert picture.splitlines()[0].startswith(" run 20231114-221320  8 x A100-SXM4-80GB  ")


def test_labels_of_three_digits_are_whole_where_all_the_width_is_used() -> None:
    hundreds = replace(snapshot(), rows=tuple(row(index) for index in (7, 107)))
    assert "● GPU 107 " in plain(hundreds, 80, 24)


def test_a_column_is_no_wider_while_rows_are_sorted_by_it() -> None:
    by_device = plain(snapshot(8), 80, 24).splitlines()[3]
    for sort, mark in (("utilization", "▼COMPUTE"), ("queue", "▼QUEUE")):
        sorted_by = plain(snapshot(8), 80, 24, ViewOptions(sort)).splitlines()[3]
        assert mark in sorted_by
        assert sorted_by.replace("▼", " ") == by_device


def test_the_table_stands_still_while_the_names_of_files_change() -> None:
    def renamed(name: str | None) -> str:
        rows: tuple[Row, ...] = tuple(
            ({**metrics, "current_file": name}, figures) for metrics, figures in ONE_MODEL.rows
        )
        return plain(replace(ONE_MODEL, rows=rows), 130, 24).splitlines()[4]

    assert "FILE" in renamed("a")
    assert renamed("a") == renamed("a_file_with_a_long_name" * 3) == renamed(None)


@pytest.mark.parametrize(
    ("name", "percent", "shown"),
    [
        ("a.fa", 63.9, "a.fa 63%"),
        ("a.fa", 99.9, "a.fa 99%"),
        ("a.fa", None, "a.fa"),
        ("abcdefghijkl.fa", 63.9, "abcdefghijkl.fa 63%"),
        ("a_long_way/to/some/sample_17.fa", 63.9, "…ay/to/some/sample_17.fa 63%"),
    ],
)
def test_how_much_of_a_file_is_done_stands_after_its_name(name: str, percent: float | None, shown: str) -> None:
    metrics, utilization = row(0)
    of_one: DeviceWork = {**metrics, "current_file": name, "current_file_percent": percent}
    picture = plain(replace(snapshot(), rows=((of_one, utilization),)), 220, 24)
    assert next(text for text in picture.splitlines() if "GPU 0" in text).endswith(f"  {shown}")


@given(width=st.integers(80, 200), name=st.text("abc/_.", min_size=1, max_size=40))
def test_how_much_of_a_file_is_done_takes_no_more_of_its_name_than_is_needed(width: int, name: str) -> None:
    def told(percent: float | None) -> str:
        metrics, utilization = row(0)
        of_one: DeviceWork = {**metrics, "current_file": name, "current_file_percent": percent}
        picture = plain(replace(snapshot(), rows=((of_one, utilization),)), width, 24)
        assert all(cell_len(text) <= width for text in picture.splitlines())
        return next(text for text in picture.splitlines() if "GPU 0" in text)

    with_share, without = told(100.0), told(None)
    if with_share != without:
        kept = with_share.removesuffix(" 100%").split()[-1].removeprefix("…")
        assert name.endswith(kept)
        assert len(kept) >= min(len(name), 13)


def test_devices_in_trouble_are_shown_before_others_when_not_all_fit() -> None:
    lines = plain(snapshot(8), 80, 9).splitlines()
    assert lines[3].startswith(" × GPU 3")
    assert lines[4].startswith(" ? GPU 6")


def test_devices_in_trouble_stay_in_their_places_when_all_fit() -> None:
    lines = plain(snapshot(8), 80, 24).splitlines()
    assert [text[1:8] for text in lines[4:8]] == ["● GPU 0", "● GPU 1", "● GPU 2", "× GPU 3"]


def test_a_stalled_device_is_marked_in_its_row_and_shown_before_others_when_not_all_fit() -> None:
    lines = plain(IN_TROUBLE, 80, 10).splitlines()
    assert [text[1:8] for text in lines[3:6]] == ["× GPU 3", "! GPU 5", "? GPU 6"]
    assert colour_of(IN_TROUBLE, 80, "! GPU 5") == "yellow"
    assert "STALLED" in next(text for text in plain(IN_TROUBLE, 200, 24).splitlines() if "GPU 5" in text)


def test_an_alarm_in_a_column_that_is_left_out_marks_the_device() -> None:
    full = alone(memory_percent=96.0)
    assert "● GPU 0" in plain(full, 80, 24)
    assert "! GPU 0" in plain(full, 40, 24)
    assert "● GPU 0" in plain(alone(memory_percent=94.0), 40, 24)


def test_a_filter_that_matches_no_device_is_shown() -> None:
    assert "no device matches" in plain(snapshot(8), 80, 24, ViewOptions(devices=frozenset({"99"})))


def test_the_total_is_of_the_chosen_devices() -> None:
    picture = plain(snapshot(8), 250, 24, ViewOptions(devices=frozenset({"0", "1"})))
    total = next(text for text in picture.splitlines() if "TOTAL" in text)
    assert total.split() == ["TOTAL", "2", "devices", "93%", "70%", "33.1", "13", "45", "0", "+3", "-1", "624W"]


def test_the_total_of_the_run_knows_of_failures_and_steals_that_are_no_device_s() -> None:
    shot = replace(snapshot(8), totals={**snapshot(8).totals, "files_failed": 9, "steals": 40})
    total = next(text for text in plain(shot, 80, 24).splitlines() if "TOTAL" in text)
    assert total.split()[-2:] == ["!9", "40"]
    assert colour_of(shot, 80, "!9", "TOTAL") == "bold yellow"


def test_big_figures_are_never_cut() -> None:
    metrics, utilization = row(0)
    big: Row = ({**metrics, "queue_depth": 123_456_789, "files_completed": 987_654_321}, utilization)
    text = plain(replace(snapshot(), rows=(big,)), 80, 24)
    assert "123456789" in text
    assert "987654321" in text


def test_an_unknown_figure_is_shown_as_unknown_and_never_as_zero() -> None:
    mixed = replace(snapshot(), rows=(*ON_CPUS.rows, *snapshot(1).rows))
    cpu = next(text for text in plain(mixed, 80, 24).splitlines() if "cpu:0" in text)
    assert cpu.split().count("n/a") == 2
    lost = next(text for text in plain(snapshot(), 200, 24).splitlines() if "GPU 3" in text)
    assert lost.split().count("n/a") == 6


def test_bad_states_are_recognizable_without_colour_at_every_width() -> None:
    for width in (40, 60, 80, 120, 200):
        text = plain(snapshot(), width, 24)
        assert "LOST" in text
        assert "SILENT" in text


SPEAKING = ("LOST", "SILENT", "STALE", "STALLED", "SIMULATED", "lost", "× GPU", "? GPU")


BESIDE_A_MARK = ({"×"}, {"━"}, set[str]())
"""What failed of the bar of progress has its number beside it, and the bar of a figure has that figure."""


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_every_alarming_colour_has_a_mark_or_a_word_beside_it(width: int) -> None:
    shot = replace(WITH_EFFECT, health=IN_TROUBLE.health, rows=IN_TROUBLE.rows)
    alarming = [
        (span.style, text.plain[span.start : span.end].strip())
        for text in [*frame(shot, width, 60), *frame(SIMULATED, width, 60), *frame(STALE, width, 60)]
        for span in text.spans
        if any(colour in str(span.style) for colour in ("yellow", "red"))
    ]
    assert alarming
    for style, words in alarming:
        if (
            not words.startswith(("LOST", "SILENT", "STALE", "SIMULATED", "lost", "STALLED", "× GPU", "? GPU"))
            and set(words) not in BESIDE_A_MARK
        ):
            assert words.startswith("!!" if "red" in str(style) else "!"), words


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_device_that_loads_says_so_and_for_how_long_at_every_width(width: int) -> None:
    text = next(text for text in plain(LOADING, width, 24).splitlines() if "GPU 1" in text)
    assert "loading" in text
    assert "0:42" in text


@pytest.mark.parametrize(
    ("words", "colour"),
    [
        ("● GPU 0", "green"),
        ("○ GPU 4", "dim"),
        ("× GPU 3", "bold red"),
        ("? GPU 6", "bold yellow"),
        ("LOST", "bold red"),
        ("SILENT", "bold yellow"),
        ("busy", "green"),
    ],
)
def test_states_have_their_colours(words: str, colour: str) -> None:
    assert colour_of(snapshot(), 200, words, "GPU") == colour


@pytest.mark.parametrize(
    ("figure", "value", "written", "colour"),
    [
        ("compute_percent", 9.9, "!!10%", "bold red"),
        ("compute_percent", 10.0, "!10%", "yellow"),
        ("compute_percent", 29.0, "!29%", "yellow"),
        ("compute_percent", 30.0, "30%", ""),
        ("memory_percent", 84.9, "85%", ""),
        ("memory_percent", 85.0, "!85%", "yellow"),
        ("memory_percent", 94.9, "!95%", "yellow"),
        ("memory_percent", 95.0, "!!95%", "bold red"),
        ("temperature", 79.9, "80°C", ""),
        ("temperature", 80.0, "!80°C", "yellow"),
        ("temperature", 89.9, "!90°C", "yellow"),
        ("temperature", 90.0, "!!90°C", "bold red"),
    ],
)
def test_from_its_threshold_on_a_figure_is_marked_and_coloured(
    figure: str, value: float, written: str, colour: str
) -> None:
    assert colour_of(alone(**{figure: value}), 120, written) == colour


def test_little_use_of_a_gpu_that_has_nothing_to_do_is_not_marked() -> None:
    assert colour_of(alone("idle", compute_percent=4.0), 120, "4%") == ""


def test_a_device_with_failed_files_has_them_marked_yellow() -> None:
    metrics, utilization = row(0)
    shot = replace(snapshot(), rows=(({**metrics, "files_failed": 77}, utilization),))
    assert colour_of(shot, 80, "!77") == "yellow"


def test_figures_that_are_too_old_are_yellow() -> None:
    assert colour_of(STALE, 80, "STALE") == "yellow"


def test_trends_are_left_out_until_there_are_two_samples() -> None:
    def sampled(times: int) -> ViewModel:
        trend = Trend((50.0,) * times, (1.0,) * times)
        return replace(snapshot(), trends={device_key(metrics): trend for metrics, _ in snapshot().rows})

    assert not {"LOAD", "RATE"} & set(header(sampled(1), 200))
    assert {"LOAD", "RATE"} < set(header(sampled(2), 200))


def test_trends_of_what_was_never_known_are_left_out() -> None:
    unknown = Trend((None,) * 9, (None,) * 9)
    trends = {device_key(metrics): unknown for metrics, _ in snapshot().rows}
    assert not {"LOAD", "RATE"} & set(header(replace(snapshot(), trends=trends), 200))


@pytest.mark.parametrize(
    ("elapsed_seconds", "done", "since_seconds", "is_marked"),
    [
        (2.9, 20, 1.0, False),  # a run that has begun
        (60.0, 0, 2.9, False),  # a device that has loaded its job late
        (60.0, 0, 3.1, True),
        (60.0, 20, 1.0, True),  # many short files
        (None, 0, None, True),
    ],
)
def test_a_low_load_is_marked_once_the_device_has_worked_for_a_whole_interval(
    elapsed_seconds: float | None, done: int, since_seconds: float | None, is_marked: bool
) -> None:
    metrics, utilization = row(0)
    begun: DeviceWork = {**metrics, "files_completed": done, "seconds_since_done": since_seconds}
    shot = replace(
        snapshot(), rows=((begun, {**utilization, "compute_percent": 0.0}),), elapsed_seconds=elapsed_seconds
    )
    assert ("!!0%" in plain(shot, 80, 24)) == is_marked


def test_what_is_unknown_of_every_device_has_no_column() -> None:
    shown = header(ON_CPUS, 250)
    assert set(shown).isdisjoint({"COMPUTE", "MAX", "MEMORY", "TEMP", "POWER", "CPU", "RSS", "READ"})
    assert {"COMPUTE", "MEMORY", "TEMP"} < set(header(STALE, 250))


def test_cpu_workers_show_what_their_processes_use_where_gpus_show_their_load() -> None:
    assert header(ON_CPUS_MEASURED, 80)[1:] == [
        *("CPU", "RSS", "SEQ/S", "QUEUE", "DONE", "FAIL", "STEALS", "FILE"),
    ]
    picture = plain(ON_CPUS_MEASURED, 100, 24)
    first, second = (text.split() for text in picture.splitlines() if "cpu:0" in text or "cpu:1" in text)
    assert first[2:7] == ["98%", "1.2", "GiB", "0", "B/s"]
    assert second[2:7] == ["250%", "1.2", "GiB", "12.5", "MiB/s"]


def test_bad_states_of_cpu_workers_stand_in_the_place_of_their_load() -> None:
    rows: tuple[Row, ...] = tuple(
        ({**metrics, "state": "lost"}, figures) for metrics, figures in ON_CPUS_MEASURED.rows
    )
    assert plain(replace(ON_CPUS_MEASURED, rows=rows), 80, 24).count("LOST") >= len(rows)


def test_chosen_columns_are_shown_and_no_others_the_first_ones_if_not_all_fit() -> None:
    chosen = ViewOptions(columns=("file", "temp", "steals"))
    assert header(ONE_MODEL, 80, chosen) == ["DEVICE", "FILE", "TEMP", "STEALS"]
    assert header(ONE_MODEL, 30, chosen) == ["DEVICE", "FILE"]
    assert header(ON_CPUS, 80, ViewOptions(columns=("temp",))) == ["DEVICE", "TEMP"]


def test_every_column_has_the_name_that_users_choose_it_by() -> None:
    assert tuple(column.name for column in COLUMNS if column.name) == COLUMN_NAMES


def test_once_the_run_has_ended_there_is_no_column_of_files() -> None:
    idle = with_rows(snapshot(8), (({**work, "current_file": None}, gpu) for work, gpu in snapshot(8).rows))
    headers = ["".join(text.plain for text in frame(model, 120, 30)) for model in (idle, FINISHED)]
    assert ["  FILE" in text for text in headers] == [True, False]
