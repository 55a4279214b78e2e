"""Folds that are observed, and that leave out what their observers know anyway."""

from __future__ import annotations

from hypothesis import given

from tests.support.runs import MadeRun, made_runs
from tests.support.snapshots import dumped
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.host_fold import HANDLERS, Handlers
from virnucpro_bus.testing import Script
from virnucpro_bus.timeline.observers import observed_by, without_gpu_figures


def folded(script: Script, handlers: Handlers | None) -> FleetState:
    fleet = FleetState(ManualClock(), handlers=handlers)
    fleet.feed(script.frames())
    return fleet


@given(made_runs())
def test_an_observed_fold_is_as_without_observers_and_each_event_is_observed_once(run: MadeRun) -> None:
    seen: list[Envelope] = []
    fleet = folded(run.script, observed_by(dict.fromkeys(HANDLERS, seen.append)))
    fleet.feed(run.script.frames())
    unobserved = folded(run.script, None)
    unobserved.feed(run.script.frames())
    assert dumped(fleet) == dumped(unobserved)
    assert seen == run.script.envelopes


@given(made_runs())
def test_a_fold_without_gpu_figures_knows_the_same_of_all_work(run: MadeRun) -> None:
    whole, light = folded(run.script, None), folded(run.script, without_gpu_figures())
    for fleet in (whole, light):
        fleet.break_off()
    assert light.get_gpu_metrics() == whole.get_gpu_metrics()
    assert light.get_totals() == whole.get_totals()
    assert light.get_effect() == whole.get_effect()
    assert (light.runs(), light.attempts()) == (whole.runs(), whole.attempts())


def test_a_fold_without_gpu_figures_knows_every_sampled_gpu() -> None:
    script = Script()
    for second in range(5):
        for at in range(2):
            sample = ev.GpuSampled(Device(f"GPU-{at}", "A100", at), 10.0 * second)
            script.say("sampler", sample, after_seconds=0.5)
    seen: list[Envelope] = []
    fleet = folded(script, observed_by({ev.GpuSampled: seen.append}, without_gpu_figures()))
    assert [row["device_id"] for row in fleet.get_gpu_metrics()] == [0, 1]
    assert len(seen) == 10
