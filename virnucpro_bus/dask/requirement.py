"""Loads Dask, which is optional, or says how to install it."""

try:
    import distributed as distributed
except ImportError as error:
    raise ModuleNotFoundError(
        f"virnucpro_bus.dask: Dask cannot be imported ({error}); pip install 'virnucpro-bus[dask]'"
    ) from None
