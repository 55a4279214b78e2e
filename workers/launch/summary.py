"""summary.json: the fold of the capture, as `replay --once --json` prints it, and what only the launcher knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from virnucpro_bus.clock import Clock
from virnucpro_bus.run_folder import CAPTURE_NAME, SUMMARY_NAME
from virnucpro_bus.sources.playback import Playback
from virnucpro_bus.sources.replay import Replay
from virnucpro_bus.system.disk import Disk


def summarize(
    run_dir: Path,
    clock: Clock,
    stopped: Callable[[], bool],
    *,
    exit_code: int,
    files_done_before: int,
    job: str,
    policy: str,
    weights: Sequence[float],
) -> dict[str, Any] | None:
    """Return the content of the file, as docs/json.md describes it.

    None if `stopped`, which is called several times a second, returns true before the capture is read.
    """
    playback = Playback(Replay(run_dir / CAPTURE_NAME, clock, rate=None))
    playback.run(stopped)
    if not playback.replay.ended:
        return None
    fleet = playback.fleet
    return {
        **fleet.report(),
        "exit_code": exit_code,
        "elapsed_seconds": fleet.elapsed_seconds(),
        "files_done_before": files_done_before,
        "job": job,
        "policy": policy,
        "weights": list(weights),
        "failures": fleet.failures(),
        "attempts": fleet.attempts(),
    }


def write_summary(run_dir: Path, summary: Mapping[str, Any]) -> None:
    """Write the file into the run folder atomically. Raises OSError."""
    with Disk().replace_atomically(run_dir / SUMMARY_NAME, durable=False) as file:
        file.write(f"{json.dumps(summary, indent=2)}\n".encode())
