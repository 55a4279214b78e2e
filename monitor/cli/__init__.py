"""The subcommands of this package (`monitor`, `ls`, `replay`, `sample`, `doctor`), imported when they are called.

`display.py` is what `monitor` and `replay` share: it shows a fleet as a dashboard, by `drawing.py`, or as JSON. As
in `virnucpro_bus/cli`, what a command's work needs is imported where that begins.
"""
