from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitor.markup.scales import PLOT, TimeScale
from monitor.report.boxes import CELL, LEAST_WIDTH, MAX_BOXES, Box, boxes_of, few_boxes
from virnucpro_bus.timeline.timeline import Attempt, Outcome

SECONDS = 100
SCALE = TimeScale(0, SECONDS)
OUTCOMES: list[Outcome] = ["completed", "failed", "lost", "running"]


def attempt(start_ns: int, end_ns: int, outcome: Outcome = "completed", victim: str | None = None) -> Attempt:
    seconds = (end_ns - start_ns) / 1e9
    return Attempt("node", "GPU-a", "a.fa", 1, start_ns, end_ns, outcome, 0, seconds, 1, "", victim)


@st.composite
def lines(draw: st.DrawFn) -> list[Attempt]:
    """Attempts one after the other, of which some are far too short to be seen."""
    line, now_ns = [], 0
    for _ in range(draw(st.integers(0, 60))):
        now_ns += draw(st.sampled_from([0, 10**6, 10**9]))
        took_ns = draw(st.sampled_from([0, 10**5, 10**7, 10**8, 2 * 10**9]))
        line.append(
            attempt(now_ns, now_ns + took_ns, draw(st.sampled_from(OUTCOMES)), draw(st.sampled_from([None, "v"])))
        )
        now_ns += took_ns
    return line


@given(lines(), st.sampled_from([0.5, 4.0, 64.0]))
def test_boxes_hold_every_attempt_once_and_all_of_their_time(line: list[Attempt], width: float) -> None:
    boxes = boxes_of(line, SCALE, width)
    assert sum(box.attempts for box in boxes) == len(line)
    total = sum(sum(box.seconds.values()) for box in boxes)
    assert abs(total - sum(each.duration_seconds for each in line)) < 1e-6
    assert all((box.first is None) == (box.attempts > 1) for box in boxes)


@given(lines(), st.sampled_from([0.5, 4.0, 64.0]))
def test_boxes_do_not_overlap_and_what_can_be_seen_has_its_own(line: list[Attempt], width: float) -> None:
    boxes = boxes_of(line, SCALE, width)
    assert all(before.x1 <= after.x0 + 1e-9 for before, after in pairwise(boxes))
    seen = [each for each in line if (each.end_ns - each.start_ns) * SCALE.pixels_per_ns >= width]
    assert [box.first for box in boxes if box.x1 - box.x0 >= width and box.attempts == 1] == seen


def test_narrow_neighbours_share_a_box_that_knows_how_they_ended() -> None:
    short = [attempt(at * 10**6, at * 10**6 + 10**6, "failed" if at == 2 else "completed") for at in range(6)]
    (box,) = boxes_of(short, SCALE)
    assert box.seconds.keys() == {"own", "failed"}
    assert (box.attempts, box.kind, box.first) == (6, "own", None)
    assert box.x1 - box.x0 <= CELL * LEAST_WIDTH


def test_however_many_files_there_are_boxes_are_few() -> None:
    def line(files: int) -> list[Attempt]:
        step = SECONDS * 10**9 // files
        kinds: list[Outcome] = ["completed", "failed"]
        return [attempt(at * step, (at + 1) * step, kinds[at % 2]) for at in range(files)]

    for devices, files in ((1, 50_000), (16, 1_000), (200, 200)):
        drawn = few_boxes([line(files)] * devices, SCALE)
        assert sum(map(len, drawn)) <= MAX_BOXES
        assert sum(box.attempts for boxes in drawn for box in boxes) == devices * files
    assert sum(map(len, few_boxes([line(100)] * 16, SCALE))) == 1_600


def test_a_box_is_of_the_kind_that_took_most_of_the_time() -> None:
    assert Box(0.0, PLOT, 2, {"own": 1.0, "stolen": 3.0}).kind == "stolen"
