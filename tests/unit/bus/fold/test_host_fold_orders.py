"""The fold over made-up runs: true in order, the same in any order, honest about what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs import MadeRun, made_runs
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.fold.host_fold import HostFold

SECOND_NS = 1_000_000_000


def folded(envelopes: Iterable[Envelope]) -> HostFold:
    fold = HostFold("node")
    for envelope in envelopes:
        fold.apply(envelope)
    return fold


def loading(fold: HostFold) -> set[str | None]:
    """The devices that load a job, when the last word was said."""
    return {row["uuid"] for row in fold.metrics(fold.last_ns) if row["state"] == "loading"}


def everything(fold: HostFold, run: MadeRun) -> dict[str, Any]:
    """All that a viewer can ask, when the last word was said, a little later and much later."""
    now_ns = run.script.clock.mono_ns()
    moments = [now_ns + seconds * SECOND_NS for seconds in (0, 4, 100)]
    return {
        "metrics": [fold.metrics(moment) for moment in moments],
        "utilization": [fold.utilizations(moment).get(device) for device in ("GPU-0", 1) for moment in moments],
        "loads": [fold.utilizations(now_ns, seconds * SECOND_NS).get("GPU-0") for seconds in (1, 10, 1000)],
        "files": fold.files(),
        "elapsed": [fold.elapsed_seconds(moment) for moment in moments],
        "effect": [fold.effect(moment) for moment in moments],
        "totals": fold.totals(),
        "steals": fold.steals(),
        "failures": fold.failures,
        "finished": fold.finished,
    }


@given(made_runs())
def test_in_order_the_figures_are_what_happened(run: MadeRun) -> None:
    fold = folded(run.script.envelopes)
    rows = fold.metrics(run.script.clock.mono_ns())
    told = {
        row["uuid"]: (
            row["files_completed"],
            row["files_failed"],
            row["sequences"],
            row["work_stolen_to"],
            row["work_stolen_from"],
        )
        for row in rows
    }
    assert told == {
        key: (true.completed, true.failed, true.sequences, true.stolen_to, true.stolen_from)
        for key, true in run.expected.items()
    }


@given(made_runs())
def test_in_order_the_totals_are_the_sums_of_what_happened(run: MadeRun) -> None:
    totals = folded(run.script.envelopes).totals()
    assert totals["files_completed"] == sum(true.completed for true in run.all())
    assert totals["files_failed"] == sum(true.failed for true in run.all())
    assert totals["sequences"] == sum(true.sequences for true in run.all())
    assert totals["steals"] == sum(true.stolen_to for true in run.all())
    assert totals["events_published"] == totals["events_received"] == len(run.script.envelopes)
    assert totals["events_lost"] == 0


@given(made_runs())
def test_in_order_each_steal_is_told_once(run: MadeRun) -> None:
    steals = folded(run.script.envelopes).steals()
    assert len(steals) == min(50, sum(true.stolen_to for true in run.all()))
    assert [steal["timestamp"] for steal in steals] == sorted(steal["timestamp"] for steal in steals)


@given(made_runs(finished=False))
def test_in_order_who_loads_and_how_long_is_what_happened(run: MadeRun) -> None:
    now_ns = run.script.clock.mono_ns()
    rows = {row["uuid"]: row for row in folded(run.script.envelopes).metrics(now_ns)}
    for worker in run.workers:
        row, is_loading = rows[worker.device.key], worker.alive and worker.is_loading and worker.says_that_it_loads
        took_ns = (now_ns if is_loading else worker.loaded_ns) - worker.started_ns
        assert row["loading_seconds"] == (took_ns / SECOND_NS if worker.says_that_it_loads else None)
        if row["state"] != "silent":
            assert (row["state"] == "loading") is is_loading


@given(st.data(), made_runs())
def test_any_order_with_duplicates_ends_in_the_same_figures(data: st.DataObject, run: MadeRun) -> None:
    said = run.script.envelopes
    again = data.draw(st.lists(st.sampled_from(said), max_size=20))
    shuffled = data.draw(st.permutations(said + again))
    assert everything(folded(shuffled), run) == everything(folded(said), run)


@given(made_runs())
def test_backwards_is_as_good_as_in_order(run: MadeRun) -> None:
    said = run.script.envelopes
    assert everything(folded(reversed(said)), run) == everything(folded(said), run)


@given(st.data(), made_runs())
def test_of_any_part_published_is_received_plus_lost(data: st.DataObject, run: MadeRun) -> None:
    kept = data.draw(st.lists(st.sampled_from(run.script.envelopes), unique_by=id))
    streams: dict[tuple[str, int], set[int]] = {}
    for envelope in kept:
        streams.setdefault((envelope.source, envelope.epoch), set()).add(envelope.seq)
    totals = folded(kept).totals()
    assert totals["events_published"] == sum(max(seen) for seen in streams.values())
    assert totals["events_received"] == len(kept)
    assert totals["events_lost"] == totals["events_published"] - totals["events_received"]


@given(st.data(), made_runs())
def test_a_gap_filled_later_leaves_no_trace(data: st.DataObject, run: MadeRun) -> None:
    said = run.script.envelopes
    missed = set(data.draw(st.lists(st.sampled_from(range(len(said))))))
    first = [envelope for at, envelope in enumerate(said) if at not in missed]
    later = [said[at] for at in sorted(missed)]
    assert everything(folded(first + later), run) == everything(folded(said), run)


@given(st.data(), made_runs(finished=False))
def test_a_last_heartbeat_heals_what_was_missed(data: st.DataObject, run: MadeRun) -> None:
    for worker in run.workers:
        run.beat(worker)
    said = run.script.envelopes
    # A worker that died took its last totals with it; the living have just said them.
    healed = {(worker.source, worker.epoch) for worker in run.workers if worker.alive}
    ended = {(each.source, each.epoch): each for each in said}
    kept = [
        each
        for each in said
        if each is ended[each.source, each.epoch]
        or (each.source, each.epoch) not in healed
        or data.draw(st.booleans())
    ]
    every, some = folded(said), folded(kept)
    whole, part = every.totals(), some.totals()
    for figure in ("files_completed", "files_failed", "sequences", "steals", "events_published"):
        assert part[figure] == whole[figure]
    assert loading(some) == loading(every)
