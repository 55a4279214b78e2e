"""Lines to the user, where there may be no place for them."""

from __future__ import annotations

import io
import sys

import pytest

from virnucpro_bus.system.console import say


def test_without_stderr_nothing_is_printed_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    say("trouble")
    assert capsys.readouterr().out == ""


def test_a_stderr_that_the_program_has_closed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    say("trouble")
