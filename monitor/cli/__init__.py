"""The subcommands of this package (`monitor`, `ls`, `replay`, `sample`, `doctor`), imported when they are called.

`display.py` is what `monitor` and `replay` share: it shows a fleet as a dashboard or as JSON.
"""
