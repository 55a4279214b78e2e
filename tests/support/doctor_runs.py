"""The doctor's report on a machine whose driver library is the fake one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.support.fake_nvml import FakeNvmlLibrary


def run_doctor(
    *arguments: str, environment: dict[str, str], script: str = "from monitor.cli.doctor import doctor; doctor()"
) -> str:
    """What the doctor prints in a process of its own."""
    hidden = {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={name: value for name, value in os.environ.items() if name not in hidden} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def problems_of(nvml: FakeNvmlLibrary, **environment: str) -> list[str]:
    """What the doctor finds wrong; nvidia-smi, which is never there, left out."""
    report = json.loads(run_doctor("--json", environment=nvml.environment | environment))
    return [line for line in report["problems"] if not line.startswith("nvidia-smi: not found")]
