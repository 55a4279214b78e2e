"""Recognition: which of the inputs given now are files that earlier sessions of the run had planned.

A file is the same however it is reached: through a link or a mount, by another spelling of its path, moved, or in
a copied folder. The same place or inode, with equal name, size and modification time, is proof enough. Where they
differ, the content decides: it is read, and compared with the digest that the journal holds of a committed file.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from virnucpro_bus.events.run_events import PlannedFile
from virnucpro_bus.events.vocabulary import Origin
from workers.inputs.input_files import InputFiles
from workers.resume.as_planned import AsPlanned


class Known(Struct, frozen=True, gc=False):
    """The planned file that an input was recognized as."""

    id: str
    is_unchanged: bool = True
    is_renamed: bool = False
    """Whether it is unchanged, but has another name, and so would have results of other names."""
    was_read: bool = False
    """Whether only its content showed that it is unchanged."""


def recognize(
    planned: AsPlanned,
    read_plan: Callable[[], Mapping[str, PlannedFile]],
    contents: Mapping[str, str],
    files: InputFiles,
    read_digest: Callable[[Path], str],
) -> list[Known | None]:
    """Return for each of `files` which planned file it is; None: it is new.

    `read_plan` returns all that was planned, and is called only where a file is not as `planned`.
    `contents` are the digests of the content of committed files, by id. `read_digest` returns that of a file that
    is there now, "" when it cannot be read; it is called only for files that may be committed ones.
    """
    matches = _Matches(contents, files, read_digest)
    # A planned file is one input at most, so the surest rule comes first.
    if matches.by_id(planned):
        return matches.known
    matches.use_plan(read_plan())
    matches.by(lambda file, _: file.identity or None, lambda plan: plan.identity or None)
    matches.by_origin(lambda origin: (origin.folder, origin.name, origin.version))
    matches.by_origin(lambda origin: (origin.name, origin.version, origin.inode))
    matches.by_content(lambda origin: (origin.folder, origin.name))
    matches.by_content(lambda origin: origin.name)
    matches.by_origin(lambda origin: (origin.folder, origin.name), is_unchanged=False)
    matches.by_id_without_origin()
    matches.by_moves()
    matches.by_name_of_uncommitted()
    matches.by_inode()
    matches.by_content(lambda origin: "", is_renamed=True)
    return matches.known


class _Matches:
    """Inputs and the planned files that they are, found rule by rule."""

    def __init__(self, contents: Mapping[str, str], files: InputFiles, read_digest: Callable[[Path], str]) -> None:
        self.known: list[Known | None] = [None] * len(files)
        """What each input was recognized as."""
        self._new: Sequence[int] = ()
        """The inputs that are not recognized yet, by number, once `by_id` was called."""
        self._planned: dict[str, PlannedFile] = {}
        """The planned files that are no input yet, by id, once `use_plan` was called."""
        self._contents = contents
        self._files = files
        self._read_digest = read_digest
        self._digests: dict[int, str] = {}
        self._moves: dict[str, str] = {}
        """Where the folders of recognized files are now, by where they were planned."""

    def by_id(self, planned: AsPlanned) -> bool:
        """Match the files that are as planned, at the same path and with the same id; return whether all are.

        To be called first. Nearly always these are all of a million, so it does without what the other rules need.
        """
        for number, (file, identity) in enumerate(zip(self._files.ids, self._files.identities, strict=True)):
            if planned.has(file, identity):
                self.known[number] = Known(file)
        self._new = [number for number, known in enumerate(self.known) if known is None]
        return not self._new

    def use_plan(self, plan: Mapping[str, PlannedFile]) -> None:
        """Prepare for the other rules, which look at all that was planned of a file."""
        matched = {known.id: number for number, known in enumerate(self.known) if known is not None}
        for file, now in zip(matched, self._files.planned(list(matched.values())), strict=True):
            self._note_move(plan[file], now)
        self._planned = {file: plan[file] for file in plan if file not in matched}

    def by(
        self,
        key_of_file: Callable[[PlannedFile, int], Hashable],
        key_of_plan: Callable[[PlannedFile], Hashable],
        *,
        is_unchanged: bool = True,
        is_renamed: bool = False,
        was_read: bool = False,
    ) -> None:
        """Match inputs and planned files with equal keys; None: by no key. An input has its number beside it."""
        plans: dict[Hashable, list[PlannedFile]] = {}
        for plan in reversed(self._planned.values()):
            plans.setdefault(key_of_plan(plan), []).append(plan)
        plans.pop(None, None)
        if not plans:
            return
        still_new = []
        for number, file in zip(self._new, self._files.planned(self._new), strict=True):
            if not (found := plans.get(key_of_file(file, number))):
                still_new.append(number)
                continue
            plan = found.pop()
            self.known[number] = Known(plan.file, is_unchanged, is_renamed, was_read)
            del self._planned[plan.file]
            self._note_move(plan, file)
        self._new = still_new

    def _note_move(self, plan: PlannedFile, file: PlannedFile) -> None:
        if plan.origin is not None and file.origin is not None:
            self._moves[plan.origin.folder] = file.origin.folder

    def by_origin(self, key: Callable[[Origin], Hashable], *, is_unchanged: bool = True) -> None:
        """Match by where a file lies and in which state it is."""
        self.by(
            lambda file, _: key(file.origin) if file.origin else None,
            lambda plan: key(plan.origin) if plan.origin else None,
            is_unchanged=is_unchanged,
        )

    def by_content(self, key: Callable[[Origin], Hashable], *, is_renamed: bool = False) -> None:
        """Match committed files by a key and their content, which is read only where the size is equal too."""

        def size_and_key(each: PlannedFile) -> Hashable:
            # All empty files are alike, whatever samples they are of.
            is_distinctive = each.size_bytes > 0 or not is_renamed
            return (each.size_bytes, key(each.origin)) if each.origin and is_distinctive else None

        self._by_content(size_and_key, size_and_key, is_renamed=is_renamed)

    def by_id_without_origin(self) -> None:
        """Match files whose origin the journal lacks: it is damaged, or an earlier version has written it."""

        def id_of_plan(plan: PlannedFile) -> str | None:
            return None if plan.origin else plan.file

        self._by_content(lambda file: file.file, id_of_plan)
        self.by(lambda file, _: file.file, id_of_plan, is_unchanged=False)

    def _by_content(
        self,
        key_of_file: Callable[[PlannedFile], Hashable],
        key_of_plan: Callable[[PlannedFile], Hashable],
        *,
        is_renamed: bool = False,
    ) -> None:
        candidates = {key_of_plan(plan) for plan in self._planned.values() if self._is_committed(plan)} - {None}
        self.by(
            lambda file, at: (key_of_file(file), self._digest_of(at)) if key_of_file(file) in candidates else None,
            lambda plan: (key_of_plan(plan), self._contents.get(plan.file)),
            is_renamed=is_renamed,
            was_read=True,
        )

    def by_moves(self) -> None:
        """Match a changed file with its namesake in the folder to which others of its old folder have moved.

        Elsewhere a namesake is another sample, and both keep their results.
        """
        self.by(
            lambda file, _: file.origin and (file.origin.folder, file.origin.name),
            lambda plan: plan.origin and (self._moves.get(plan.origin.folder), plan.origin.name),
            is_unchanged=False,
        )

    def by_name_of_uncommitted(self) -> None:
        """Match a file with a namesake that has no results to lose."""
        self.by(
            lambda file, _: file.origin and file.origin.name,
            lambda plan: plan.origin.name if plan.origin and not self._is_committed(plan) else None,
            is_unchanged=False,
        )

    def by_inode(self) -> None:
        """Match a committed file that has another name now, and is otherwise the same."""
        self.by(
            lambda file, _: file.origin and (file.origin.version, file.origin.inode),
            lambda plan: plan.origin and self._is_committed(plan) and (plan.origin.version, plan.origin.inode),
            is_renamed=True,
        )

    def _is_committed(self, plan: PlannedFile) -> bool:
        return plan.file in self._contents

    def _digest_of(self, number: int) -> str:
        if number not in self._digests:
            self._digests[number] = self._read_digest(self._files[number].path)
        return self._digests[number]
