"""The command line: one file a subcommand, loaded when it is called.

`main.py` finds the subcommands of all three packages by entry point and turns errors into one line and an exit
code; `options.py` holds the options that several share. May import everything in this package.
"""
