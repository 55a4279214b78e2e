"""The program `virnucpro-bus`, also `python -m virnucpro_bus`: what happens before the command is imported.

Imports little, because Ctrl-C leaves a traceback until `main` is called.
"""

from __future__ import annotations

import signal

from virnucpro_bus.system.signals import end_quietly


def main() -> None:
    """Run the command line and exit."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_quietly)
    from virnucpro_bus.cli.main import main as run_command

    run_command()


if __name__ == "__main__":
    main()
