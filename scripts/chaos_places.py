"""Where the sessions of a chaos run take place: inputs and run folder that move between them, and other hosts."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections import Counter
from pathlib import Path

_ON_HOST = 'hostname "$1"; shift; exec "$@"'


class Places:
    """The inputs and the run folder of a run, whose paths change from session to session.

    What a user may do between two sessions: move or copy the inputs, reach them by a link, move the run folder,
    resume on another machine of a cluster.
    """

    def __init__(self, folder: Path, inputs: Path, run_dir: Path, chance: random.Random) -> None:
        self.inputs = inputs
        """The path by which the next session reaches its inputs."""
        self.run_dir = run_dir
        self.changed: Counter[str] = Counter()
        """How often each change was made."""
        self._folder = folder
        self._tree = inputs
        self._chance = chance
        self._number = 0
        self._has_hosts = _can_rename_host()

    def change(self) -> None:
        """Make one change before the next session."""
        self._number += 1
        changes = {
            "inputs moved": self._move_inputs,
            "inputs copied": self._copy_inputs,
            "inputs linked": self._link_inputs,
            "run folder moved": self._move_run_folder,
        }
        name = self._chance.choice(list(changes))
        changes[name]()
        self.changed[name] += 1

    def on_some_host(self, command: list[str]) -> list[str]:
        """Return `command` as run on a host of another name; unchanged without the rights to give one."""
        if not self._has_hosts:
            return command
        self.changed["other host names"] += 1
        return ["unshare", "--uts", "sh", "-c", _ON_HOST, "sh", f"node{self._number}", *command]

    def _move_inputs(self) -> None:
        self._tree = self.inputs = self._tree.rename(self._folder / f"moved-{self._number}")

    def _copy_inputs(self) -> None:
        copied = self._folder / f"copied-{self._number}"
        shutil.copytree(self._tree, copied)
        shutil.rmtree(self._tree)
        self._tree = self.inputs = copied

    def _link_inputs(self) -> None:
        self.inputs = self._folder / f"linked-{self._number}"
        self.inputs.symlink_to(self._tree)

    def _move_run_folder(self) -> None:
        if self.run_dir.exists():  # a launcher that is killed early has not made it
            self.run_dir = self.run_dir.rename(self._folder / f"out-{self._number}")


def _can_rename_host() -> bool:
    """Whether a process may be given a host name of its own: by root, where the system has `unshare`."""
    if os.geteuid() != 0 or shutil.which("unshare") is None or shutil.which("hostname") is None:
        return False
    return subprocess.run(["unshare", "--uts", "true"], check=False).returncode == 0
