"""What Dask carries to the workers works with this package and without it."""

from __future__ import annotations

import asyncio
import sys

import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from distributed.protocol.pickle import dumps, loads

from tests.support.fake_dask import FakeWorker
from virnucpro_bus.dask.carried import ABSENT_SUFFIX, make_carried
from virnucpro_bus.dask.plugin import BusPlugin
from virnucpro_bus.dask.topic import topic_of

TOPIC = topic_of("run-1")


def test_the_plugin_takes_the_place_of_what_dask_has_carried() -> None:
    worker = FakeWorker()
    worker.plugins[TOPIC] = loads(dumps(make_carried("run-1", TOPIC)))
    worker.plugins[TOPIC].setup(worker)
    plugin = worker.plugins[TOPIC]
    assert isinstance(plugin, BusPlugin)
    assert (plugin.name, plugin.run) == (TOPIC, "run-1")
    asyncio.run(plugin.teardown(worker))


def test_a_worker_without_this_package_goes_on_and_reports_that(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = FakeWorker()
    sent = dumps(make_carried("run-1", TOPIC))
    for name in [name for name in sys.modules if name.partition(".")[0] == "virnucpro_bus"]:
        monkeypatch.setitem(sys.modules, name, None)
    carried = loads(sent)
    worker.plugins[carried.name] = carried
    carried.setup(worker)
    carried.transition("task", "ready", "executing")
    assert worker.plugins == {TOPIC: carried}
    ((topic, message),) = worker.messages
    assert topic == TOPIC + ABSENT_SUFFIX
    assert message.startswith(f"{worker.address}: ModuleNotFoundError: ")
