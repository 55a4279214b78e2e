"""The Dask engine before a run: from the options of the command line to devices and an executor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workers.dask.cluster import ClusterOptions as ClusterOptions
from workers.dask.cluster import connect, start_own
from workers.dask.dask_workers import DaskWorkers
from workers.dask.inventory import Inventory, SharedFolder, take_inventory
from workers.dask.link import ask_all
from workers.dask.member.survey import boot_id
from workers.dask.naming import name_devices
from workers.desk.executor import MakeExecutor, Workplace
from workers.inputs.input_file import InputFile


def own_executor(files: Sequence[InputFile]) -> MakeExecutor:
    """Return what makes the executor of a run that starts a cluster of its own."""
    return lambda workplace: DaskWorkers(workplace, start_own, Inventory(), files)


class Staff:
    """The workers of a cluster that can take part in a run."""

    def __init__(self, options: ClusterOptions, run_dir: Path, files: Sequence[InputFile]) -> None:
        """Connect to the cluster, and ask its workers. Raises UserError when none can take part."""
        self._files = files
        self._connection = connect(options)
        try:
            with SharedFolder(run_dir) as folder:
                answers = ask_all(self._connection.client, folder.question(files, wants_device=True))
                self._inventory = take_inventory(answers, folder)
        except BaseException:
            self.close()
            raise
        members = list(self._inventory.members.values())
        self.unfit = list(self._inventory.unfit.values())
        """A line about each worker that takes no part."""
        self.devices = name_devices(members)
        """One for each worker."""
        self.is_here = any(member.boot and member.boot == boot_id() for member in members)
        """Whether one of them is on this machine."""

    def make_executor(self, workplace: Workplace) -> DaskWorkers:
        """Return the executor of the run."""
        return DaskWorkers(workplace, lambda _: self._connection, self._inventory, self._files)

    def close(self) -> None:
        """Close the connection, and a cluster that was made for the run. Safe to call twice."""
        self._connection.close()
