"""How the answers of the collector are combined."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.model.collector import Collector, Failures
from monitor.model.view_model import NOTICE, ViewModel
from tests.support.fake_sources import Gpus, Work
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.health.problems import Problem
from virnucpro_bus.metrics import FailedAttempt


@dataclass
class Detailed(Work):
    """A source that has details of the run itself."""

    elapsed: float | None = 60.0
    published: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def elapsed_seconds(self) -> float | None:
        return self.elapsed

    def notices(self) -> list[tuple[int, str]]:
        return self.published

    def stream_warnings(self) -> list[str]:
        return ["a warning"]

    def failures(self) -> dict[str, str]:
        return {"bad.fa": "ValueError", "deadly.fa": "it ended 3 workers"}

    def attempts(self) -> dict[str, list[FailedAttempt]]:
        return {"bad.fa": [{"attempt": 1, "device": "cpu:0", "reason": "ValueError"}]}


def collector_of(source: Work, clock: ManualClock | None = None) -> Collector:
    return Collector(source, Gpus(), clock or ManualClock(), Failures())


def collect(collector: Collector) -> ViewModel:
    return collector.collect("", None)


def test_a_notice_is_news_once_and_a_problem_from_then_on() -> None:
    source = Detailed(published=[(0, "one")])
    collector = collector_of(source)
    news = [collect(collector).news]
    source.published = [(0, "one"), (10**9, "two")]
    news += [collect(collector).news, collect(collector).news]
    assert [[text.split()[1] for text in each] for each in news] == [["one"], ["two"], []]
    notices = [problem.text.split()[1] for problem in collect(collector).health if problem.kind == NOTICE]
    assert notices == ["two", "one"]
    assert collect(collector).health[-1] == Problem("a warning")


def test_files_that_no_attempt_has_failed_are_quarantined() -> None:
    quarantined, failed, *_ = collect(collector_of(Detailed())).health
    assert quarantined.text == "quarantined: deadly.fa (it ended 3 workers)"
    assert failed.text == "failed: bad.fa (ValueError)"


def samples_in_trend(collector: Collector) -> int:
    """How many samples the trends have, after another one."""
    return len(next(iter(collect(collector).trends.values())).throughputs)


def test_trends_use_the_run_time_which_a_replay_may_stop_or_turn_back() -> None:
    source = Detailed()
    collector = collector_of(source)
    seen = []
    for source.elapsed in (60.0, 60.0, 62.0, 62.0, 50.0):
        seen.append(samples_in_trend(collector))
    assert seen == [1, 1, 2, 2, 1]


def test_without_a_known_run_time_trends_use_the_clock() -> None:
    clock = ManualClock()
    collector = collector_of(Detailed(elapsed=None), clock)
    seen = []
    for seconds in (0.0, 2.0, 0.0):
        clock.advance(seconds)
        seen.append(samples_in_trend(collector))
    assert seen == [1, 2, 2]
