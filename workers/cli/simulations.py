"""Simulations side by side: those of a comparison are shared among processes of this program.

Each process answers one question (process/answering.py): the recorded run, and its share of the simulations. No
code of a user runs there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from virnucpro_bus.system.child_process import ask
from virnucpro_bus.system.cores import usable_cores
from virnucpro_bus.system.own_packages import own_program
from workers.process.answering import answer
from workers.whatif.outcome import Outcome, Scenario
from workers.whatif.recorded_run import RecordedRun
from workers.whatif.scenarios import Simulation, simulate_in_turn

WORTH_PROCESSES = 300_000
"""So many simulated files, over all simulations, take about 2 s: less is not worth the start of processes."""
MAX_PROCESSES = 8
"""Each of them holds the whole run."""


class Question(msgspec.Struct, frozen=True):
    """A share of the simulations of a comparison."""

    recorded: RecordedRun
    scenarios: Sequence[Scenario]
    simulations: Sequence[Simulation]


class Reply(msgspec.Struct, frozen=True):
    """The outcome of each simulation of a share."""

    outcomes: list[Outcome]


def simulate_side_by_side(
    recorded: RecordedRun, scenarios: Sequence[Scenario], simulations: Sequence[Simulation]
) -> list[Outcome]:
    """Return the outcome of each simulation; of large runs in several processes, which are ended by Ctrl-C."""
    processes = min(usable_cores(os.environ).number, MAX_PROCESSES, len(simulations))
    if processes < 2 or len(recorded.files) * len(simulations) < WORTH_PROCESSES:
        return simulate_in_turn(recorded, scenarios, simulations)
    shares = [Question(recorded, scenarios, simulations[first::processes]) for first in range(processes)]
    is_over = threading.Event()
    with ThreadPoolExecutor(processes) as threads:
        try:
            replies = list(threads.map(lambda share: _simulate_in_process(share, is_over), shares))
        finally:
            is_over.set()
    return [replies[number % processes].outcomes[number // processes] for number in range(len(simulations))]


def _simulate_in_process(share: Question, is_over: threading.Event) -> Reply:
    """Simulate a share in a process of its own; here, where that cannot be started or does not end in order."""
    try:
        command = own_program("workers.cli.simulations")
        replied = ask(command, msgspec.msgpack.encode(share), stopped=is_over.is_set)
    except OSError:
        return _reply_to(share)
    return msgspec.msgpack.decode(replied.output, type=Reply) if replied.status == 0 else _reply_to(share)


def _reply_to(question: Question) -> Reply:
    return Reply(simulate_in_turn(question.recorded, question.scenarios, question.simulations))


def main() -> None:
    """Answer the question on standard input."""
    answer(Question, _reply_to)
