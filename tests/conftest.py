"""Settings that every test runs under."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: how long an example takes says more about the machine than about the code.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")
