"""The last state of recorded runs as a file of metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.prometheus.textfile import OPENMETRICS, PROMETHEUS
from tests.support.metric_runs import read
from tests.support.paths import DATA
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.exporters import Exporter, RowOptions
from virnucpro_bus.sources.recording import Recording, read_recording


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    paths = sorted(Path(DATA / "captures").glob("*/run.vbus"))
    return [read_recording(path, SystemClock()) for path in paths]


def content(exporter: Exporter, recordings: list[Recording]) -> str:
    [document] = exporter.export(recordings, RowOptions())
    assert document.name == ""
    return b"".join(document.content).decode()


def test_both_formats_hold_the_same_samples(recordings: list[Recording]) -> None:
    samples = read(content(PROMETHEUS, recordings[:1]))
    assert samples
    assert samples == read(content(OPENMETRICS, recordings[:1]))


def test_a_finished_run_is_written_as_it_ended(recordings: list[Recording]) -> None:
    text = content(PROMETHEUS, recordings[-1:])
    assert 'virnucpro_run_finished{run="run-33ecb7bc"} 1.0\n' in text
    assert 'virnucpro_run_files_completed{run="run-33ecb7bc"} 29.0\n' in text


def test_files_of_several_runs_have_no_series_in_common_and_no_times(recordings: list[Recording]) -> None:
    """The textfile collector refuses a series that two files hold, and samples with times."""
    each = [
        {line.rpartition(" ")[0] for line in content(PROMETHEUS, [one]).splitlines() if not line.startswith("#")}
        for one in recordings
    ]
    assert not each[0] & each[1]
    assert all(series.endswith("}") for one in each for series in one)


def test_several_runs_in_one_file_are_told_apart_by_their_folders(recordings: list[Recording]) -> None:
    text = content(PROMETHEUS, recordings)
    for recording in recordings:
        assert f'virnucpro_run_finished{{run="{recording.path.parent}"}} 1.0\n' in text
