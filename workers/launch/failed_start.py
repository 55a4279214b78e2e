"""Taking back a run that ends before it has begun, so that the same command can be given again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import zmq

from virnucpro_bus.errors import UserError
from virnucpro_bus.hub.bus_server import BusServer
from virnucpro_bus.sockets import reason_of
from workers.commit.result_store import ResultStore
from workers.launch.run_plan import RunPlan
from workers.resume.log_path import own_logs


@contextmanager
def undoing_failed_start(
    plan: RunPlan, server: BusServer, store: ResultStore, has_begun: Callable[[], bool]
) -> Iterator[None]:
    """Remove what the run has left if the block fails or ends, and `has_begun` is still false then.

    To be entered last, so that the folder is still locked at its end: once it is not, another run may begin in it.
    Raises UserError where the system refuses what a start needs.
    """
    # A metrics log that is there already may have rows of other runs.
    had_logs = bool(own_logs(plan.run_dir, plan.log_file))
    try:
        yield
    except (zmq.ZMQError, OSError) as error:
        if store.has_attempts:
            raise
        raise UserError(f"{plan.run_dir}: the run cannot start: {reason_of(error)}") from None
    finally:
        if not has_begun():
            _remove(plan, server, store, with_logs=not had_logs)


def _remove(plan: RunPlan, server: BusServer, store: ResultStore, *, with_logs: bool) -> None:
    """Remove what a run that has not begun has left, except what its workers printed."""
    for path in own_logs(plan.run_dir, plan.log_file) if with_logs else []:
        with suppress(OSError):
            path.unlink()
    server.remove_capture()
    store.tidy()
    store.remove_if_empty()
