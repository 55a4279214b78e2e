"""The command line of this package: the subcommands `run`, `jobs` and `whatif`, one file each.

They are imported only when they are called. May import everything in the package. Start with `run.py`.
"""
