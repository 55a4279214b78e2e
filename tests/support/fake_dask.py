"""A Dask worker and client as far as the bus uses them: they note what they are asked to do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple


class FakeLoop:
    """An event loop that runs when it is asked to, and waits for nothing."""

    def __init__(self) -> None:
        self._callbacks: deque[Callable[[], object]] = deque()

    def add_callback(self, callback: Callable[[], object]) -> None:
        self._callbacks.append(callback)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> None:
        assert 0 < seconds < 1
        self._callbacks.append(callback)

    def run(self) -> None:
        """Call everything that is due, and what that adds."""
        while self._callbacks:
            self._callbacks.popleft()()


class FakeTask(NamedTuple):
    """A task as the worker's state has it."""

    exception_text: str


class FakeState:
    """The state of a worker."""

    def __init__(self, threads: int) -> None:
        self.nthreads = threads
        self.tasks: dict[object, FakeTask] = {}


class FakeWorker:
    """Notes the messages that were logged; with `error`, it fails to take them."""

    def __init__(
        self,
        *,
        name: object = 0,
        address: str = "tcp://10.0.0.1:4000",
        threads: int = 1,
        error: Exception | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self.state = FakeState(threads)
        self.plugins: dict[str, Any] = {}
        self.loop = FakeLoop()
        self.messages: list[tuple[str, Any]] = []
        self._error = error

    def frames(self) -> list[bytes]:
        """All frames that were logged so far."""
        self.loop.run()
        return [frame for _, message in self.messages for frame in message]

    def log_event(self, topic: str, message: object) -> None:
        if self._error is not None:
            raise self._error
        self.messages.append((topic, message))


class FakeScheduler(NamedTuple):
    """What a client knows of its scheduler."""

    address: str = "tcp://10.0.0.1:8786"


class FakeClient:
    """Passes messages to the subscribers of topics, as Dask does even after they have unsubscribed.

    With `error`, its workers fail to load a plugin.
    """

    security = None

    def __init__(self, *, asynchronous: bool = False, error: Exception | None = None) -> None:
        self.asynchronous = asynchronous
        self.scheduler: FakeScheduler | None = FakeScheduler()
        self.status = "running"
        self.is_closed = False
        self.plugins: list[str] = []
        self._error = error
        self._handlers: dict[str, Callable[[object], object]] = {}

    def register_plugin(self, plugin: Any) -> None:
        if self._error is not None:
            raise self._error
        self.plugins.append(plugin.name)

    def unregister_worker_plugin(self, name: str) -> None:
        assert self.status == "running", "the client waits for its scheduler"
        self.plugins.remove(name)

    def close(self, timeout: float) -> None:
        self.is_closed = True

    def subscribe_topic(self, topic: str, handler: Callable[[object], object]) -> None:
        self._handlers[topic] = handler

    def unsubscribe_topic(self, topic: str) -> None:
        if self.is_closed:
            raise RuntimeError("the client is closed")

    def receive(self, topic: str, message: object) -> None:
        """Deliver a message, with a time of the scheduler."""
        self._handlers[topic]((1.0, message))
