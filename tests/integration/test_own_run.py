"""The plans of workers that no launcher started make a run, which lasts as long as hubs continue each other."""

from __future__ import annotations

import json
import signal

from tests.support.lab import Lab, Started, wait_until
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.run_folder import read_addresses
from virnucpro_bus.sources.playback import fold_capture

FILES = [f"{number}.fa" for number in range(4)]


def hub(lab: Lab) -> Started:
    running = lab.start("hub", "bus")
    running.until_it_shows("the bus is up")
    return running


def test_a_planned_run_goes_on_when_its_hub_is_killed_and_is_finished_with_the_last_one(lab: Lab) -> None:
    def recorded() -> FleetState:
        return fold_capture(lab.folder / "bus" / "run.vbus", SystemClock())

    def is_recorded(completed: int) -> bool:
        totals = recorded().get_totals()
        return (totals["files_completed"], totals["files_total"], totals["events_lost"]) == (completed, 4, 0)

    first = hub(lab)
    before = read_addresses(lab.folder / "bus")
    with Publisher(before.publish, device=Device("cpu:0"), source="w0", run=before.run) as worker:
        worker.plan(FILES, costs=[1, 1, 1, 1])
        with worker.file(FILES[0]):
            pass
        wait_until(lambda: is_recorded(1), "the first file is on record")
        first.signal(signal.SIGKILL)
        first.wait()
        (broken_off,) = recorded().runs()
        with worker.file(FILES[1]):
            pass
        second = hub(lab)
        monitor = lab.start("monitor", "bus", "--json", "--interval", "0.1")
        for file in worker.files(FILES[2:]):
            worker.current.sequences = len(file)
        wait_until(lambda: is_recorded(4), "all files are on record")
        monitor.until_it_shows("\n")
    second.signal(signal.SIGINT)
    assert second.wait() == monitor.wait() == 0
    replayed = recorded().report()
    (run,) = replayed["runs"]
    assert (broken_off["policy"], broken_off["state"]) == ("own", "broken off")
    assert (run["policy"], run["state"], run["exit_code"]) == ("own", "finished", 0)
    assert run["run"] == before.run
    effect = replayed["effect"]
    assert effect["makespan_seconds"] == effect["makespan_expected_seconds"] is not None
    live = json.loads(monitor.stdout.splitlines()[-1])
    assert live["totals"] == replayed["totals"]
    assert live["effect"] == json.loads(json.dumps(effect))
    assert json.loads(lab.run("info", "bus", "--json").stdout)["ending"] == "finished"
