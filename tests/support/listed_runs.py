"""Run folders as `ls` finds them, without a run that made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from virnucpro_bus.run_folder import CAPTURE_NAME, SUMMARY_NAME

SUMMARY: dict[str, Any] = {
    "exit_code": 3,
    "elapsed_seconds": 61.5,
    "totals": {"files_total": 10, "files_completed": 9, "files_failed": 1, "sequences": 77},
    "devices": [{"state": "stopped", "key": "GPU-a"}, {"state": "lost"}, {"state": "unused"}],
    "runs": [{"run": "run-1", "host": "node1", "started": 1_700_000_000.5}],
    "effect": {"more": [1]},
}


def past_run(folder: Path, run: str = "run-1", started: float | None = 1_700_000_000.5, **changes: object) -> Path:
    """A folder with a summary, and a capture that nobody reads; `changes` are fields of the summary."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = [{"run": run, "host": "node1", "started": started}]
    (folder / SUMMARY_NAME).write_text(json.dumps(SUMMARY | {"runs": runs} | changes))
    (folder / CAPTURE_NAME).touch()
    return folder
