"""Python imports this before anything else: the wall clock of the process then runs an hour ahead."""

import time

HOUR_NS = 3_600 * 10**9
_real_time_ns, _real_time = time.time_ns, time.time

time.time_ns = lambda: _real_time_ns() + HOUR_NS
time.time = lambda: _real_time() + HOUR_NS / 1e9
