"""Settings that every test runs under."""

from __future__ import annotations

import gc
import os
import signal
import sys

import pytest
from hypothesis import settings

# No deadline: how long an example takes says more about the machine than about the code.
settings.register_profile("quick", deadline=None, derandomize="CI" in os.environ, max_examples=25)
# For `scripts/test --slow`, which looks for what the quick search does not meet.
settings.register_profile("thorough", deadline=None, max_examples=400)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# The tests start a thousand processes: without cached bytecode, each would compile the whole program again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# The programs under test inherit what is ignored: nohup, or a script's "&", must not make them deaf.
for number in (signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Spare the garbage collector the many thousand objects of the collection, which live as long as pytest."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _runs_of_tests_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the runs of the tests out of the list of this user's runs, and those out of the tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
