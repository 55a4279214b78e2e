"""The command line: one file for each subcommand, imported when it is called.

`main.py` finds the subcommands of all three packages by entry point and turns errors into one line and an exit
code; `options.py` defines the options that several share. May import everything in this package. Start with
`main.py`.
"""
