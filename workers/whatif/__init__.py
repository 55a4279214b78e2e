"""What if: a recorded run, simulated under another policy or with other devices.

`recorded_run.py` takes speeds and sizes from a folded capture, `simulator.py` runs the real scheduler over them,
`outcome.py` says what comes of a scenario, `scenarios.py` compares them. Pure: no I/O and no clock. May import
schedule. Start with `scenarios.py`.
"""
