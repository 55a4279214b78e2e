"""The coordinator: which file is whose, what was done, and what a viewer is told of it.

`coordinator.py` (`WorkStealingCoordinator`) gives files out and records their ends; `local_fold.py` is its own
account of the run, made with the fold that viewers use. May import schedule. Start with `coordinator.py`.
"""
