"""Where this user's own files are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.user_folders import config_folder, state_folder


@pytest.mark.parametrize(
    ("folder", "variable", "default"),
    [(config_folder, "XDG_CONFIG_HOME", ".config"), (state_folder, "XDG_STATE_HOME", ".local/state")],
)
def test_a_folder_is_in_the_home_folder_where_no_other_is_configured(
    monkeypatch: pytest.MonkeyPatch, folder: Callable[[], Path], variable: str, default: str
) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    for configured in ("", "relative/path"):
        monkeypatch.setenv(variable, configured)
        assert folder() == Path("/somewhere", default, "virnucpro-bus")
    monkeypatch.delenv(variable)
    assert folder() == Path("/somewhere", default, "virnucpro-bus")
    monkeypatch.setenv(variable, "/else/where")
    assert folder() == Path("/else/where/virnucpro-bus")


def test_without_a_home_folder_the_variable_that_helps_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", unknown)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    with pytest.raises(UserError, match="home folder is unknown; set XDG_STATE_HOME to a folder"):
        state_folder()
