"""The history of a run, from sample to sample."""

from __future__ import annotations

from monitor.model.history import HistoryKeeper
from tests.support.pictures import row
from virnucpro_bus.health.rows import Row


def sample_of(throughput: float | None, compute: float | None, cpu: float | None = None) -> Row:
    metrics, utilization = row(0)
    return (
        {**metrics, "throughput": throughput, "cpu_percent": cpu},
        {**utilization, "compute_percent": compute},
    )


def test_throughputs_add_up_and_loads_are_means_of_what_is_known() -> None:
    metrics, utilization = row(1)
    other: Row = ({**metrics, "throughput": 5.0}, {**utilization, "compute_percent": None})
    history = HistoryKeeper().add([sample_of(2.0, 80.0, 150.0), other], 1.0)
    assert (history.seconds, history.throughputs) == ((1.0,), (7.0,))
    assert (history.computes, history.cpus) == ((80.0,), (150.0,))


def test_a_gpu_that_workers_share_counts_once() -> None:
    history = HistoryKeeper().add([sample_of(1.0, 80.0), sample_of(1.0, 80.0)], 1.0)
    assert history.computes == (80.0,)


def test_what_is_unknown_stays_unknown() -> None:
    history = HistoryKeeper().add([sample_of(None, None)], 1.0)
    assert (history.throughputs, history.computes, history.cpus) == ((None,), (None,), (None,))


def test_only_the_last_samples_are_kept_and_time_that_stands_still_adds_none() -> None:
    keeper = HistoryKeeper(samples=3)
    for second in (1.0, 2.0, 2.0, 3.0, 4.0):
        history = keeper.add([sample_of(second, None)], second)
    assert history.seconds == history.throughputs == (2.0, 3.0, 4.0)


def test_a_replay_that_goes_back_starts_over() -> None:
    keeper = HistoryKeeper()
    keeper.add([sample_of(1.0, None)], 9.0)
    assert keeper.add([sample_of(2.0, None)], 3.0).seconds == (3.0,)
