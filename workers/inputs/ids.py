"""The ids of inputs, and whose results a name in the results folder belongs to."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence, Set

from virnucpro_bus.text import visible

MAX_ID_BYTES = 200
# Room for the "~N" that makes a shortened id unique.
_CUT_ID_BYTES = MAX_ID_BYTES - 10


def make_ids(
    names: Sequence[str],
    folders: Sequence[str],
    reserved: Set[str] = frozenset(),
    stems: Set[str] = frozenset(),
) -> list[str]:
    """Return a unique, printable id for each file; their absolute paths, in `folders`, are all different.

    An id is the base name where that is unique; else the shortest end of the path that is unique, with "+" for
    "/"; else, and where that is too long, the base name and "~2", "~3" ... The locale makes no difference. No id
    is in `reserved`, or is a name that `stems` cover.
    """
    if not stems and reserved.isdisjoint(names) and _are_ids(names):
        return list(names)
    ids = [""] * len(names)
    taken = set(reserved)
    # The first part, "", stands for the root. A folder has many files.
    parts = {folder: folder.rstrip("/").split("/") for folder in set(folders)}

    def is_free(text: str) -> bool:
        return text not in taken and (not stems or stems.isdisjoint(stems_covering(text)))

    pending: Sequence[int] = range(len(names))
    ends: Sequence[str] = names
    numbered: list[int] = []
    depth = 1
    while pending:
        uses = Counter(ends)
        longer: list[int] = []
        for index, end in zip(pending, ends, strict=True):
            text = _printable(end)
            if _is_too_long(text) or (depth > 1 and depth > len(parts[folders[index]]) + 1):
                numbered.append(index)
            elif uses[end] > 1 or not is_free(text):
                longer.append(index)
            else:
                taken.add(text)
                ids[index] = text
        pending = longer
        depth += 1
        ends = ["+".join([*parts[folders[index]][1 - depth :], names[index]]) for index in pending]
    next_number: Counter[str] = Counter()
    for index in sorted(numbered):
        text = _printable(names[index]).encode()[:_CUT_ID_BYTES].decode(errors="ignore")
        while not stems.isdisjoint(stems_covering(f"{text}~")):
            text = f"+{text}"
        number = max(2, next_number[text])
        while not is_free(f"{text}~{number}"):
            number += 1
        next_number[text] = number + 1
        ids[index] = f"{text}~{number}"
        taken.add(ids[index])
    return ids


def need_own_folder(stems: Sequence[str], ids: Sequence[str], reserved: Iterable[str] = ()) -> bytearray:
    """Return for each input whether results named after its stem could be taken for another's, or its folder.

    1 means yes, 0 no.
    `reserved` are names in the results folder that belong to none of these inputs.
    """
    # How many inputs have a stem or an id that this stem covers, and how many reserved names it covers.
    claims = dict.fromkeys(stems, 0)
    for name in reserved:
        for covering in stems_covering(name):
            if covering in claims:
                claims[covering] += 1
    for stem, name in zip(stems, ids, strict=True):
        # Nearly always. Another stem that covers this id then continues this one, which finds the two.
        if name.partition(".")[0] == stem:
            claims[stem] += 1
            continue
        for covering in {*stems_covering(stem), *stems_covering(name)}:
            if covering in claims:
                claims[covering] += 1
    if max(claims.values(), default=0) <= 1:
        return bytearray(len(stems))  # a stem that covers another one is claimed twice
    return bytearray(claims[stem] > 1 or _is_covered_by_another(stem, claims) for stem in stems)


def folder_of(file_id: str) -> str:
    """Return the name of the folder that is named by an id, in the locale's encoding of file names."""
    return os.fsdecode(file_id.encode())


def covers(stem: str, name: str) -> bool:
    """Return whether a result called `name` is named after `stem`: is equal to it, or continues it with a dot."""
    return name == stem or name.startswith(f"{stem}.")


def _is_covered_by_another(stem: str, stems: Collection[str]) -> bool:
    return "." in stem and any(other in stems for other in stems_covering(stem) if other != stem)


def stems_covering(name: str) -> Iterator[str]:
    """Yield every stem that covers `name`, the shortest first."""
    end = name.find(".")
    while end >= 0:
        yield name[:end]
        end = name.find(".", end + 1)
    yield name


def _are_ids(names: Sequence[str]) -> bool:
    """Whether all names are unique, printable and short: as nearly always, and then they are the ids."""
    text = "".join(names)
    return (
        text.isascii()
        and text.isprintable()
        and max(map(len, names), default=0) <= MAX_ID_BYTES
        and len(set(names)) == len(names)
    )


def _is_too_long(text: str) -> bool:
    # A character has four bytes at most, and nearly every name is shorter than that.
    return len(text) > MAX_ID_BYTES // 4 and len(text.encode()) > MAX_ID_BYTES


def _printable(name: str) -> str:
    """Return a file name in a form that can be printed, the same in every locale."""
    return visible(name if name.isascii() else os.fsencode(name).decode(errors="surrogateescape"))
