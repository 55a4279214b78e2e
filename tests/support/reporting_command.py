"""The command `virnucpro-bus`, which also writes down the figures of the coordinator inside `run`.

    python reporting_command.py run INPUT... --out DIR ...

When a file `ask` appears in the current folder it is replaced by `live.json`; at the end there is `end.json`.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from unittest import mock

from virnucpro_bus.cli.main import main
from workers.launch import launcher


class TellingLauncher(launcher.Launcher):
    """A launcher whose coordinator is asked, from another thread, what it would show on a dashboard."""

    def run(self) -> int:
        over = threading.Event()
        listener = threading.Thread(target=self._listen, args=(over,))
        listener.start()
        try:
            return super().run()
        finally:
            over.set()
            listener.join()
            self._tell("end.json")

    def _listen(self, over: threading.Event) -> None:
        while not over.wait(0.01):
            if Path("ask").exists():
                Path("ask").unlink()
                self._tell("live.json")

    def _tell(self, name: str) -> None:
        said = {
            "devices": self.coordinator.get_gpu_metrics(),
            "totals": self.coordinator.get_totals(),
            "steals": self.coordinator.get_recent_steal_events(),
        }
        draft = Path(f"{name}.draft")
        draft.write_text(json.dumps(said))
        draft.replace(name)


if __name__ == "__main__":
    with mock.patch.object(launcher, "Launcher", TellingLauncher):
        main()
