"""Settings that every test runs under."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# No deadline: how long an example takes says more about the machine than about the code.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")

# The programs under test inherit what is ignored: nohup, or a script's "&", must not make them deaf.
for number in (signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
