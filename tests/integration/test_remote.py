"""Watching from another machine, with the real commands."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from pathlib import Path

from tests.support.lab import Lab
from tests.support.run_files import COUNT, summary
from tests.support.watched_runs import RUN, WATCH, WatchedRun, last_report

REFUSAL_SECONDS = 8.0
"""Five, and three for a machine that does other things."""


def test_a_run_can_be_watched_over_tcp_from_beginning_to_end(lab: Lab, forty: Path) -> None:
    run = WatchedRun(lab, forty, "tcp://127.0.0.1:*")
    live = lab.start("monitor", run.address, "--json", "--interval", "0.2")
    live.until(lambda: live.stdout, "the monitor has begun")
    recording = lab.start("record", run.address, "-o", "copy.vbus")
    tailing = lab.start("tail", run.address, "--jsonl", "--kinds", "run.finished")
    late = lab.run("monitor", run.address, "--once", "--json")
    assert json.loads(late.stdout)["totals"]["files_completed"] > 0
    end = run.finish()
    report = last_report(live)
    assert report == {key: end[key] for key in report}
    assert end["totals"]["files_completed"] == COUNT
    assert recording.wait() == tailing.wait() == 0
    assert json.loads(tailing.stdout)["event"]["files_completed"] == COUNT
    replayed = lab.run("replay", "copy.vbus", "--once", "--json")
    assert json.loads(replayed.stdout)["totals"] == report["totals"]


def test_a_live_run_can_be_relayed_afterwards_and_the_relay_ends_with_it(lab: Lab, forty: Path) -> None:
    run = WatchedRun(lab, forty, "tcp://127.0.0.1:*")
    second = lab.start("relay", "out", "--listen", "tcp://127.0.0.1:*")
    second.until(lambda: "serving" in second.stdout, "the relay is up")
    found = WATCH.search(second.stdout)
    assert found is not None
    live = lab.start("monitor", found[1], "--json", "--interval", "0.2")
    live.until(lambda: live.stdout, "the monitor has begun")
    end = run.finish()
    assert last_report(live)["totals"] == end["totals"]
    assert second.wait() == 0


def test_a_relay_that_is_killed_does_not_disturb_the_run_which_says_so(lab: Lab, forty: Path) -> None:
    run = WatchedRun(lab, forty, "tcp://127.0.0.1:*")
    os.kill(run.running.child("relay"), signal.SIGKILL)
    run.running.until_it_says("the relay has ended; the run continues")
    assert run.finish()["totals"]["files_completed"] == COUNT


def test_what_is_open_to_other_machines_does_not_start_without_keys(lab: Lab, forty: Path) -> None:
    lab.environment["XDG_CONFIG_HOME"] = str(lab.folder / "config")
    run = lab.run("run", forty, "--out", "out", *RUN, "--listen", "tcp://*:5599")
    assert run.wait() == 2
    assert "virnucpro-bus keys new" in run.stderr
    assert "ssh -N -L 5599:127.0.0.1:5599" in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (lab.folder / "out").exists()


def test_a_port_that_is_taken_ends_the_run_before_it_begins(lab: Lab, forty: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        run = lab.run("run", forty, "--out", "out", *RUN, "--listen", listen)
        assert run.wait() == 2
        assert f"{listen}: cannot listen there" in run.stderr
        assert run.stderr.count("\n") == 1
    again = lab.run("run", forty, "--out", "out", *RUN, "--listen", listen)
    assert again.wait() == 0, again.stderr


def test_with_keys_only_those_on_the_list_get_in_and_both_ends_say_why(lab: Lab, forty: Path, keys: str) -> None:
    run = WatchedRun(lab, forty, "tcp://*:*")
    assert run.server_key == keys
    address = f"tcp://127.0.0.1:{run.port}"
    allowed = lab.run("monitor", address, "--server-key", keys, "--once", "--json")
    assert json.loads(allowed.stdout)["totals"]["files_completed"] > 0

    stranger = {"XDG_CONFIG_HOME": str(lab.folder / "stranger")}
    made = re.search("[0-9a-f]{64}", lab.run("keys", "new", **stranger).stdout)
    assert made is not None
    refusals = {
        "; give its public key with --server-key": lab.start("monitor", address, "--json"),
        "check that --server-key is the relay's public key": lab.start(
            "monitor", address, "--server-key", made[0], "--json"
        ),
        f"virnucpro-bus keys allow {made[0]}": lab.start(
            "monitor", address, "--server-key", keys, "--json", **stranger
        ),
        "virnucpro-bus keys new": lab.start(
            "monitor", address, "--server-key", keys, "--json", XDG_CONFIG_HOME=str(lab.folder / "nobody")
        ),
    }
    for reason, refused in refusals.items():
        assert refused.wait(REFUSAL_SECONDS) == 2
        assert reason in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert refused.stdout == ""
    run.running.until_it_says("without the required key")
    run.running.until_it_says("another --server-key")
    run.running.until_it_says(f"virnucpro-bus keys allow {made[0]}")
    end = run.finish()
    assert end["totals"]["events_lost"] == 0


def test_a_client_that_is_revoked_while_it_watches_is_cut_off(lab: Lab, forty: Path, keys: str) -> None:
    run = WatchedRun(lab, forty, "tcp://*:*")
    watching = lab.start(
        "monitor", f"tcp://127.0.0.1:{run.port}", "--server-key", keys, "--json", "--interval", "0.2"
    )
    watching.until(lambda: watching.stdout, "the monitor has begun")
    assert lab.run("keys", "revoke", "me").wait() == 0
    assert watching.wait(REFUSAL_SECONDS) == 2
    assert "this machine's key has been revoked there" in watching.stderr
    run.running.until_it_says("has been revoked")
    run.finish()


def test_a_recorded_run_can_be_served_again_and_watched_as_if_it_were_live(lab: Lab, finished: Path) -> None:
    served = lab.start("replay", finished, "--rate", "2", "--serve", "tcp://127.0.0.1:*")
    served.until(lambda: WATCH.search(served.stdout), "it is served")
    found = WATCH.search(served.stdout)
    assert found is not None
    watching = lab.start("monitor", found[1], "--json", "--interval", "0.1")
    report, end = last_report(watching), summary(finished)
    assert report["totals"] == end["totals"]
    assert [row["files_completed"] for row in report["devices"]] == [
        row["files_completed"] for row in end["devices"]
    ]
    served.signal(signal.SIGINT)
    assert served.wait() == 130
