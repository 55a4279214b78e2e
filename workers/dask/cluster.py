"""The cluster of a run: one that is running, one that a user's code makes, or one of our own."""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from time import sleep
from typing import Any

from distributed import Client

from virnucpro_bus.errors import UserError
from virnucpro_bus.system.console import say
from virnucpro_bus.text import text_of, visible
from workers.dask.own_cluster import start_own_cluster
from workers.dask.own_log import redirect_log
from workers.desk.executor import Workplace
from workers.jobs.loader import split_spec

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 10.0
LOG_NAME = "dask"
"""Of the log of what Dask itself says in the launcher."""
SETTLE_SECONDS = 1.0
"""The workers of a cluster that is starting are counted once no other has come for so long."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Connection:
    """A client of a cluster, and the cluster if it is to be ended with the run."""

    client: Any
    cluster: Any = None
    is_own: bool = False
    """Whether its workers are processes of this machine that serve this run alone."""

    def close(self) -> None:
        """Close both, within about 15 s. Safe to call twice."""
        for closable in (self.client, self.cluster):
            if closable is not None:
                with suppress(Exception):  # the scheduler has gone, for example
                    closable.close(timeout=CLOSE_SECONDS)


@dataclass(frozen=True)
class ClusterOptions:
    """Which cluster the user has named; all None: none."""

    scheduler: str | None = None
    """The address of a scheduler."""
    scheduler_file: Path | None = None
    """A file that a scheduler has written about itself."""
    cluster: str | None = None
    """MODULE:ATTR of a cluster object, or of what makes one."""

    @property
    def named(self) -> list[str]:
        """The options that were given, as they are written."""
        given = {
            "--scheduler": self.scheduler,
            "--scheduler-file": self.scheduler_file,
            "--cluster": self.cluster,
        }
        return [option for option, value in given.items() if value is not None]


def connect(options: ClusterOptions) -> Connection:
    """Connect to the cluster that the user has named, and wait for its first workers. Raises UserError."""
    redirect_log(None)
    if options.cluster is not None:
        cluster, is_made_here = _user_cluster(options.cluster)
        named, made = f"--cluster {options.cluster}", cluster if is_made_here else None
        connection = Connection(_client(named, cluster), made)
    elif options.scheduler_file is not None:
        named = f"--scheduler-file {visible(str(options.scheduler_file))}"
        connection = Connection(_client(named, _address_in(options.scheduler_file, named)))
    else:
        named = f"--scheduler {visible(options.scheduler or '')}"
        connection = Connection(_client(named, options.scheduler))
    try:
        _wait_for_workers(connection.client, named)
    except BaseException:
        connection.close()
        raise
    return connection


def start_own(workplace: Workplace) -> Connection:
    """Start a cluster of our own with a worker for each device of the run. Raises UserError."""
    redirect_log(workplace.server.log_path(LOG_NAME))
    try:
        devices = workplace.coordinator.devices
        cluster = start_own_cluster(devices, workplace.server.log_path, workplace.warn)
    except Exception as error:
        raise UserError(f"the Dask cluster of the run cannot be started: {_brief(error)}") from None
    return Connection(_client("the Dask cluster of the run", cluster), cluster, is_own=True)


def _client(named: str, address: Any) -> Any:
    try:
        return Client(address, timeout=CONNECT_SECONDS)
    except Exception as error:
        raise UserError(
            f"{named}: no Dask scheduler answers there: {_brief(error)}; "
            "start one with dask scheduler, and name its address"
        ) from None


def _address_in(path: Path, named: str) -> str:
    """Return the address in a scheduler's file: Dask would wait for a file that is missing."""
    try:
        address = json.loads(path.read_bytes())["address"]
    except OSError as error:
        raise UserError(f"{named}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        address = None
    if not isinstance(address, str):
        raise UserError(
            f"{named}: is not the file of a Dask scheduler; write one with dask scheduler --scheduler-file"
        )
    return address


def _user_cluster(spec: str) -> tuple[Any, bool]:
    """Return the cluster that MODULE:ATTR stands for, and whether that was called. Raises UserError."""
    named = f"--cluster {visible(spec)}"
    try:
        module, attribute = split_spec(spec)
    except UserError:
        raise UserError(f"{named}: is not of the form MODULE:ATTR, such as my_site:make_cluster") from None
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = attrgetter(attribute)(importlib.import_module(module))
        is_made_here = callable(found) and not hasattr(found, "scheduler_address")
        cluster = found() if is_made_here or isinstance(found, type) else found
    except BaseException as error:  # a module may also call sys.exit
        raise UserError(f"{named}: {type(error).__name__}: {_brief(error)}") from None
    if not isinstance(getattr(cluster, "scheduler_address", None), str):
        raise UserError(
            f"{named}: is {_brief(cluster)}; it must be a Dask cluster, or a function that returns one"
        )
    return cluster, cluster is not found


def _wait_for_workers(client: Any, named: str) -> None:
    """Wait until the cluster has workers, and no other comes for a while. A batch system may take its time."""
    count, unchanged_seconds, has_said = -1, 0.0, False
    while unchanged_seconds < SETTLE_SECONDS or count == 0:
        if client.status != "running":
            raise UserError(f"{named}: the scheduler has gone")
        seen = len(client.nthreads())
        unchanged_seconds = 0.0 if seen != count else unchanged_seconds + _POLL_SECONDS
        count = seen
        if count == 0 and unchanged_seconds >= SETTLE_SECONDS and not has_said:
            has_said = True
            say(f"{named}: waiting for the first worker; Ctrl-C ends that")
        sleep(_POLL_SECONDS)


def _brief(thing: object) -> str:
    return visible(text_of(thing, str).strip().partition("\n")[0][:300]) or type(thing).__name__
