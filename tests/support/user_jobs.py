"""Jobs as a user writes them, copied into the folder in which a test runs the command.

A test holds a job up by a gate: while GATES/<file name>.closed exists, the job waits, half done, and has written
its process id to GATES/<file name>.pid, so that the test knows.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from pathlib import Path

from workers import JobContext
from workers.jobs.sixframe import run_sixframe

SECONDS_PER_BYTE = 4e-6
GATE_SECONDS = 60.0


def sixframe(input: Path, output: Path, context: JobContext) -> int:
    """The job sixframe, as a user's."""
    return run_sixframe(input, output, context)


def slow(input: Path, output: Path, context: JobContext) -> int:
    """sixframe, taking longer for bigger files, as a model does."""
    time.sleep(input.stat().st_size * SECONDS_PER_BYTE)
    return sixframe(input, output, context)


def lasting(input: Path, output: Path, context: JobContext) -> int:
    """sixframe, with a rest before it."""
    time.sleep(0.1)
    return sixframe(input, output, context)


def resting(input: Path, output: Path, context: JobContext) -> int:
    """Nothing but sleep: a millisecond a byte on cpu:0, and on cpu:N 1 + N / 2 times as fast."""
    time.sleep(input.stat().st_size * 1e-3 / (1 + int(context.device_key.removeprefix("cpu:")) / 2))
    (output / f"{input.stem}.txt").write_text(input.name)
    return 1


def gated(input: Path, output: Path, context: JobContext) -> int:
    """sixframe, with a halt between two halves of its output where a gate is closed; it prints that."""
    closed = Path(context.options["gates"]) / f"{input.name}.closed"
    if closed.exists():
        (output / f"{input.stem}.half").write_text("this must never be a result")
        print(f"at the gate of {input.name}")
        _wait_at(closed)
        (output / f"{input.stem}.half").unlink()
    return sixframe(input, output, context)


class GatedModel:
    """sixframe, loaded for as long as the gate with the name of its device is closed."""

    def __init__(self, context: JobContext) -> None:
        _wait_at(Path(context.options["gates"]) / f"{context.device_key}.closed")

    def __call__(self, input: Path, output: Path, context: JobContext) -> int:
        return sixframe(input, output, context)


def _wait_at(closed: Path) -> None:
    closed.with_suffix(".visible").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    draft = closed.with_suffix(".draft")
    draft.write_text(str(os.getpid()))
    draft.replace(closed.with_suffix(".pid"))
    deadline = time.monotonic() + GATE_SECONDS
    while closed.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{closed.name} was never opened")
        time.sleep(0.01)


class NoModel:
    """Cannot be made: it would load a model, and waits a little as if it had tried."""

    def __init__(self, context: JobContext) -> None:
        time.sleep(0.7)
        raise RuntimeError("there is no model")

    def __call__(self, input: Path, output: Path, context: JobContext) -> int:
        raise AssertionError


def deadly(input: Path, output: Path, context: JobContext) -> int:
    """sixframe, but the file named by the option `deadly` kills the process that touches it."""
    if input.name == context.options["deadly"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return sixframe(input, output, context)


def deadly_device(input: Path, output: Path, context: JobContext) -> int:
    """sixframe, but the devices and files named by the option `deadly` end the process that touches them."""
    if {input.name, context.device_key} & set(context.options["deadly"].split()):
        os._exit(70)
    return sixframe(input, output, context)


def raising(input: Path, output: Path, context: JobContext) -> int:
    """sixframe, but the file named by the option `bad` is too much for it."""
    if input.name == context.options["bad"]:
        raise MemoryError("out of\nmemory \x1b[31m on purpose")
    return sixframe(input, output, context)


def uncounted(input: Path, output: Path, context: JobContext) -> int | None:
    """sixframe, but of the file named by the option `bad` it does not say how many sequences there were."""
    sequences = sixframe(input, output, context)
    return None if input.name == context.options["bad"] else sequences


def noisy(input: Path, output: Path, context: JobContext) -> int:
    """sixframe, slowly, printing all the while what would tear any picture."""
    for number in range(200):
        print(f"NOISE {number} \x1b[2J\x1b[H \x1b[?1049l", flush=True)
        os.write(2, b"\rNOISE on stderr\n")
    time.sleep(0.1)
    return sixframe(input, output, context)


def stumbling(input: Path, output: Path, context: JobContext) -> int:
    """sixframe, but each file's first `stumbles` attempts want too much memory; they are counted in `notes`."""
    attempts = sorted(Path(context.options["notes"]).glob(f"{input.name}.*"))
    (Path(context.options["notes"]) / f"{input.name}.{len(attempts)}").write_text(context.device_key)
    if len(attempts) < int(context.options["stumbles"]):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    return sixframe(input, output, context)


def deep(input: Path, output: Path, context: JobContext) -> int:
    """Never lets go of Python, so that no thread of the worker runs and no signal handler either."""
    started = Path(context.options["started"])
    draft = started.with_suffix(".draft")
    draft.write_text(str(os.getpid()))
    draft.rename(started)
    ctypes.PyDLL(None).sleep(600)
    return 0
