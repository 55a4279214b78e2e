"""The coordinator: which device holds which file, how each file ended, and the metrics that viewers ask for.

`coordinator.py` (`WorkStealingCoordinator`) records how files end (`report.py`) and answers viewers. It is built
on `leasing.py`, which leases files (`assignment.py`, `leases.py`), and that on `planned_run.py`, the plan and the
state under one lock. `device_names.py` finds the device that a caller names; `local_fold.py` derives the metrics,
with the fold that viewers use. May import schedule. Start with `coordinator.py`.
"""
