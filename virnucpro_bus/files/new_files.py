"""Files that appear at their places when they are whole: what a command writes for its user."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.disk import Disk
from virnucpro_bus.files.folders import remove_tree
from virnucpro_bus.text import visible


def check_is_new(path: Path) -> None:
    """Raise UserError if something is at `path` already, or OSError if that cannot be known."""
    try:
        path.lstat()
    except FileNotFoundError:
        return
    raise UserError(f"{visible(str(path))}: already exists; choose another name, or add --force")


def write_file(path: Path, content: Iterable[bytes], *, replace: bool) -> None:
    """Write a file that appears when it is whole. Raises UserError if it cannot be written.

    Without `replace`, it must not exist yet.
    """
    with _readable_errors(path):
        if not replace:
            check_is_new(path)
        with Disk().replace_atomically(path, durable=False) as file:
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
                if not replace:
                    check_is_new(folder / name)
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
