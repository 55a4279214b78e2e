"""`python -m virnucpro_bus` is the same as `virnucpro-bus`."""

from virnucpro_bus.cli.main import main

main()
