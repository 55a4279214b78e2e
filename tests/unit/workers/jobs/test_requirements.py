"""What a job needs besides the base install is found without importing it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from workers.jobs.requirements import Requirements

INSTALL = "pip install 'virnucpro-bus[models]'"


def test_what_is_not_installed_is_named_with_the_command_that_installs_it() -> None:
    assert Requirements(("json", "no_such_torch"), INSTALL).problem() == (
        f"needs no_such_torch, which is not installed here: {INSTALL}"
    )
    assert Requirements(("no_such_numpy", "no_such_torch", "no_such_x"), INSTALL).problem() == (
        f"needs no_such_numpy, no_such_torch and no_such_x, which are not installed here: {INSTALL}"
    )


def test_what_is_installed_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_framework.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert Requirements(("slow_framework",), INSTALL).problem() is None
    assert "slow_framework" not in sys.modules
