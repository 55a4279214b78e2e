"""Commands are called: one at a time, without a shell, not for ever; and what they print is reported."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from monitor.attach import FollowedBus
from monitor.scripting import hooks as hooks_module
from monitor.scripting.calls import Kind
from monitor.scripting.hooks import Hooks
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock, SystemClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

CPU = Device("cpu:0")


def ended_run() -> FollowedBus:
    script = Script(host="here")
    script.say("coordinator", ev.RunStarted("job", "cost", (CPU,), 2))
    script.say("worker-0", ev.FileFailed("cpu:0", "$(touch a);.fa", 1, "not FASTA", 1.0))
    script.say("coordinator", ev.RunFinished(3, 1, 1))
    bus = FollowedBus("run1", ManualClock())
    bus.fleet = FleetState(script.clock)
    bus.fleet.feed(script.frames())
    return bus


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def called(commands: Mapping[Kind, Sequence[str]]) -> None:
    Hooks(commands, [ended_run()], SystemClock(), 1.0).finish()


def test_a_command_gets_its_words_and_the_facts_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    words = python("import os, sys; print(sys.argv[1:], os.environ['VIRNUCPRO_EVENT_FILE'])")
    called({"failure": (*words, "$HOME", "two words")})
    name = f"virnucpro-bus: --on-failure: {sys.executable}"
    assert capsys.readouterr() == ("", f"{name}: ['$HOME', 'two words'] $(touch a);.fa\n")


def test_the_commands_run_one_after_another_the_end_last(tmp_path: Path) -> None:
    log = tmp_path / "log"
    note = f"""
import os, time
kind = os.environ["VIRNUCPRO_EVENT"]
open({str(log)!r}, "a").write(f"{{kind}} begins\\n")
time.sleep(0.1)
open({str(log)!r}, "a").write(f"{{kind}} ends\\n")
"""
    called({"end": python(note), "failure": python(note)})
    assert log.read_text().split("\n")[:-1] == ["failure begins", "failure ends", "end begins", "end ends"]


def test_a_command_that_fails_or_cannot_be_started_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    called({"failure": ("/nowhere/at/all",), "end": python("raise SystemExit(4)")})
    first, second = capsys.readouterr().err.splitlines()
    assert first == "virnucpro-bus: --on-failure: /nowhere/at/all: cannot be started: No such file or directory"
    assert second == f"virnucpro-bus: --on-end: {sys.executable} ended with exit status 4"


def test_a_command_that_hangs_is_killed_with_all_that_it_has_started_when_its_time_is_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks_module, "COMMAND_SECONDS", 0.0)
    called({"end": ("sleep", "1000")})
    assert capsys.readouterr().err == "virnucpro-bus: --on-end: sleep has not ended after 0 s, and was killed\n"


def test_what_a_command_prints_cannot_control_the_terminal_and_its_end_is_what_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    called({"end": python("print('x' * 9000); print('\\x1b[2Jlast')")})
    said = capsys.readouterr().err
    assert len(said) < 5000
    assert said.endswith(r": \x1b[2Jlast" + "\n")


def test_the_end_of_a_run_that_is_still_followed_is_not_taken_for_its_end() -> None:
    bus = ended_run()
    calls = Hooks({"end": ("true",)}, [bus], SystemClock(), 0.0, holds_ends=True)
    calls.poll()
    assert calls._running is None
