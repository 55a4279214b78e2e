"""The command line of this package: the subcommands `run`, `jobs` and `whatif`, one file each.

They are imported only when they are called. `run.py` has the options of a run, and `planned_run.py` what it does
with them; between the two the zygote is started. `dry_run.py` prints what it would do. `simulations.py` has
processes share the work of `whatif`. May import everything in the package. Start with `run.py`.
"""
