"""Files that appear at their places when they are whole: what a command writes for its user."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.folders import remove_tree
from virnucpro_bus.text import visible


def check_target(path: Path, *, replace: bool) -> None:
    """Raise UserError if `path` is not free, or with `replace`, if no file is there, but a device, say.

    Raises OSError if that cannot be known.
    """
    try:
        mode = (path.stat() if replace else path.lstat()).st_mode
    except FileNotFoundError:
        return
    if not replace:
        raise UserError(f"{visible(str(path))}: already exists; choose another name, or add --force")
    if not stat.S_ISREG(mode):
        raise UserError(f"{visible(str(path))}: is not a file, and is not replaced; choose another name")


def write_file(path: Path, content: Iterable[bytes], *, replace: bool) -> None:
    """Write a file that appears when it is whole. Raises UserError if it cannot be written.

    Without `replace`, it must not exist yet. A link stays, and the file that it leads to is replaced.
    """
    with _readable_errors(path):
        check_target(path, replace=replace)
        target = Path(os.path.realpath(path))
        with Disk().replace_atomically(target, durable=False) as file:
            file.writelines(content)


def write_folder(folder: Path, files: Iterable[tuple[str, Iterable[bytes]]], *, replace: bool) -> None:
    """Write files, given by name and content, that appear in `folder` when all are whole.

    The folder may exist. Without `replace`, none of the files may. Raises UserError if they cannot be written.
    """
    with _readable_errors(folder):
        is_made = not folder.exists()
        folder.mkdir(exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
        try:
            for name, content in files:
                check_target(folder / name, replace=replace)
                with (draft / name).open("xb") as file:
                    file.writelines(content)
            for whole in sorted(draft.iterdir()):
                whole.rename(folder / whole.name)
        finally:
            remove_tree(str(draft))
            if is_made:
                with suppress(OSError):
                    folder.rmdir()  # nothing has been written


@contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{visible(str(path))}: cannot be written: {error.strerror}") from None
