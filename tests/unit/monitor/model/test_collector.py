"""What one look at the sources puts together."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.model.collector import Collector, Failures
from monitor.model.view_model import NOTICE, Problem, ViewModel
from tests.support.made_up_sources import Gpus, Work
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.metrics import FailedAttempt


@dataclass
class Told(Work):
    """A source that tells of the run itself."""

    elapsed: float | None = 60.0
    said: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def elapsed_seconds(self) -> float | None:
        return self.elapsed

    def notices(self) -> list[tuple[int, str]]:
        return self.said

    def stream_warnings(self) -> list[str]:
        return ["a remark"]

    def failures(self) -> dict[str, str]:
        return {"bad.fa": "ValueError", "deadly.fa": "it ended 3 workers"}

    def attempts(self) -> dict[str, list[FailedAttempt]]:
        return {"bad.fa": [{"attempt": 1, "device": "cpu:0", "reason": "ValueError"}]}


def looking_at(source: Work, clock: ManualClock | None = None) -> Collector:
    return Collector(source, Gpus(), clock or ManualClock(), Failures())


def look(sources: Collector) -> ViewModel:
    return sources.collect("", None)


def test_what_the_run_says_is_new_at_the_first_look_after_it_and_stands_on_screen_from_then_on() -> None:
    source = Told(said=[(0, "one")])
    sources = looking_at(source)
    news = [look(sources).news]
    source.said = [(0, "one"), (10**9, "two")]
    news += [look(sources).news, look(sources).news]
    assert [[text.split()[1] for text in told] for told in news] == [["one"], ["two"], []]
    notices = [problem.text.split()[1] for problem in look(sources).health if problem.kind == NOTICE]
    assert notices == ["two", "one"]
    assert look(sources).health[-1] == Problem("a remark")


def test_files_that_no_attempt_has_failed_are_quarantined() -> None:
    quarantined, failed, *_ = look(looking_at(Told())).health
    assert quarantined.text == "quarantined: deadly.fa (it ended 3 workers)"
    assert failed.text == "failed: bad.fa (ValueError)"


def looks(sources: Collector) -> int:
    """How many looks the trends are of, after another."""
    return len(next(iter(look(sources).trends.values())).throughputs)


def test_trends_go_by_the_time_of_the_run_which_a_replay_may_stop_or_turn_back() -> None:
    source = Told()
    sources = looking_at(source)
    seen = []
    for source.elapsed in (60.0, 60.0, 62.0, 62.0, 50.0):
        seen.append(looks(sources))
    assert seen == [1, 1, 2, 2, 1]


def test_where_nobody_knows_the_time_of_the_run_trends_go_by_the_clock() -> None:
    clock = ManualClock()
    sources = looking_at(Told(elapsed=None), clock)
    seen = []
    for seconds in (0.0, 2.0, 0.0):
        clock.advance(seconds)
        seen.append(looks(sources))
    assert seen == [1, 2, 2]
