"""Adds to the wheel what is made of the commands: manual pages, and completion for shells.

A hook of the wheel's build (tool.hatch.build in pyproject.toml).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MANUALS = "share/man/man1"
COMPLETIONS = {
    "bash": "share/bash-completion/completions/virnucpro-bus",
    "zsh": "share/zsh/site-functions/_virnucpro-bus",
    "fish": "share/fish/vendor_completions.d/virnucpro-bus.fish",
}
"""Where each shell looks by itself, below the folder that has bin/."""


class MadeOfCommands(BuildHookInterface[BuilderConfig]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files from the commands as they are. An editable install has none: they would become stale."""
        if version == "editable":
            return
        self._folder = TemporaryDirectory()
        manuals = Path(self._folder.name, "man")
        manuals.mkdir()
        self._python("scripts/man_pages.py", str(manuals))
        shared = {str(manuals): MANUALS}
        for shell, place in COMPLETIONS.items():
            script = Path(self._folder.name, shell)
            script.write_text(self._python("-m", "virnucpro_bus", "completion", shell), encoding="utf-8")
            shared[str(script)] = place
        build_data["shared_data"].update(shared)

    def _python(self, *arguments: str) -> str:
        # In a process of its own: the commands are imported from this folder, whatever else has such a name.
        command = [sys.executable, "-P", *arguments]
        environment = {**os.environ, "PYTHONPATH": self.root}
        return subprocess.run(command, cwd=self.root, env=environment, check=True, stdout=PIPE, text=True).stdout
