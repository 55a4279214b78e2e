"""How many files and sockets this process may have open at once (RLIMIT_NOFILE)."""

from __future__ import annotations

import resource

from virnucpro_bus.errors import UserError


def allow_open_files(needed: int) -> None:
    """Raise this process's soft limit to `needed` if it is lower. Raises UserError if the hard limit is.

    Checked before the first socket is made, because libzmq aborts the process when it cannot open one. The limit
    is raised no further: programs that use select() cannot have more than 1024 files open.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UserError(f"{needed} open files are needed, but {hard} are allowed; allow more with ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
