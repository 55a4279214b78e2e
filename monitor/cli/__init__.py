"""The subcommands of this package (`monitor`, `replay`, `sample`, `doctor`), loaded when they are called.

`display.py` is what `monitor` and `replay` share: one loop that feeds a dashboard.
"""
