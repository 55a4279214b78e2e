"""The subcommands of this package, `run` and `whatif`: loaded when they are called."""
