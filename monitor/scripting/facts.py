"""What a command that is called gets to know: environment variables, without control characters."""

from __future__ import annotations

import os

from monitor.scripting.calls import Call
from virnucpro_bus.logs.find import log_of
from virnucpro_bus.text import visible

PREFIX = "VIRNUCPRO_EVENT"
"""No variable of an option begins so: those begin with VIRNUCPRO_BUS."""


def facts_of(call: Call) -> dict[str, str]:
    """Return the variables of a call. What is unknown, or does not apply, is empty."""
    run, failed, stall = call.standing, call.failed, call.stall
    facts: dict[str, object] = {
        "": call.kind,
        "_RUN": run.target,
        "_RUN_DIR": None if run.run_dir is None else os.path.abspath(run.run_dir),
        "_ID": run.id,
        "_STATE": run.state,
        "_EXIT_CODE": run.exit_code,
        "_FILES_TOTAL": run.files_total,
        "_FILES_COMPLETED": run.files_completed,
        "_FILES_FAILED": run.files_failed,
        "_ELAPSED_SECONDS": None if run.elapsed_seconds is None else f"{run.elapsed_seconds:.1f}",
        "_COUNT": call.count if call.kind == "failure" else None,
        "_FILE": failed and failed["file"],
        "_ATTEMPTS": failed and (failed["attempts"] or None),  # 0: own workers do not count them
        "_LOG": _log(call),
        "_HOST": failed["host"] if failed else stall and stall.host,
        "_DEVICE": failed["device_id"] if failed else stall and stall.device,
        "_REASON": failed["reason"] if failed else stall.reason if stall else run.early,
    }
    return {PREFIX + name: "" if fact is None else visible(str(fact)) for name, fact in facts.items()}


def _log(call: Call) -> str | None:
    """The log of the failed attempt, where there is one on this machine."""
    failed, run_dir = call.failed, call.standing.run_dir
    if failed is None or run_dir is None:
        return None
    log = log_of(run_dir, failed["file"], failed["attempts"])
    return None if log is None else os.path.abspath(log.path)
