"""What is raised where Dask is not installed."""

from __future__ import annotations

import importlib
import sys

import pytest


def test_without_dask_the_import_says_in_one_line_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("virnucpro_bus.dask")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module("virnucpro_bus.dask.topic")
    message = str(raised.value)
    assert message.endswith("pip install 'virnucpro-bus[dask]'")
    assert "\n" not in message
