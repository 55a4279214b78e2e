"""Helpers that the tests share: runs and buses to watch, fake GPUs and terminals, generated captures."""
