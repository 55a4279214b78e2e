"""The coordinator: which device holds which file, how each file ended, and the metrics that viewers ask for.

`coordinator.py` (`WorkStealingCoordinator`) leases files (`assignment.py`, `leases.py`) and records how they end
(`report.py`); `device_names.py` finds the device that a caller names; `local_fold.py` derives the metrics, with
the fold that viewers use. May import schedule. Start with `coordinator.py`.
"""
