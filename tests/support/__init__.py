"""What the tests share: runs and buses to watch, stand-ins for GPUs and terminals, made-up captures."""
