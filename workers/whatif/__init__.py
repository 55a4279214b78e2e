"""What if: a recorded run, simulated under another policy or with other devices.

`recorded_run.py` takes speeds and sizes from a capture, `simulator.py` runs the real scheduler over them,
`scenarios.py` compares. Pure. May import schedule. Start with `scenarios.py`.
"""
