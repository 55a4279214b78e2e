"""The command line: one file for each subcommand, imported when it is called.

`commands.py` lists the subcommands of all three packages, and finds those of other packages by entry point;
`main.py` calls one, and turns errors into one line and an exit code; `options.py` defines the options that several
share. The head of a subcommand's file imports what its options and its help need. What its work needs (sockets,
the fold, a screen) is imported where that begins, because --help and TAB have to be quick. May import everything
in this package. Start with `main.py`.
"""
