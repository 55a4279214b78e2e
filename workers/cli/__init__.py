"""The command line of this package: the subcommands `run`, `jobs` and `whatif`, one file each.

They are imported only when they are called. `simulations.py` has processes share the work of `whatif`. May import
everything in the package. Start with `run.py`.
"""
