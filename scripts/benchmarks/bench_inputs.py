"""Benchmark of finding inputs: BENCH_FILES=N empty files (default: 100,000), compared with a plain walk.

The plain walk looks at every file once and keeps nothing of it. Files of one name in many folders need ids and
result folders of their own.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from workload import row

from workers.inputs.find import find_inputs
from workers.inputs.path_list import PathList

DEFAULT_FILES = 100_000
FILES_A_FOLDER = 100
ROUNDS = 3


def measure() -> list[dict[str, Any]]:
    """Measure each way to name the same number of files, by processor time."""
    files = int(os.environ.get("BENCH_FILES", DEFAULT_FILES))
    with tempfile.TemporaryDirectory() as temporary:
        flat, tree, names = Path(temporary, "flat"), Path(temporary, "tree"), Path(temporary, "list")
        paths = [flat / f"sample_{number:07}.fa" for number in range(files)]
        paths += [
            tree / f"lab{number // 10_000}" / f"s{number // FILES_A_FOLDER:05}" / f"r{number % FILES_A_FOLDER}.fa"
            for number in range(files)
        ]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        shuffled = list(map(str, paths[files:]))
        random.Random(0).shuffle(shuffled)
        names.write_text("\n".join(shuffled))
        ways: dict[str, tuple[Callable[[], object], Path]] = {
            "a folder": (lambda: find_inputs([flat]), flat),
            "a folder with subfolders, equal names": (lambda: find_inputs([tree], recursive=True), tree),
            "the same, listed in any order": (lambda: find_inputs([PathList(names)]), tree),
        }
        rows = []
        for what, (find, folder) in ways.items():
            pairs = [(_seconds(find), _seconds(partial(_walk, folder))) for _ in range(ROUNDS)]
            rows.append(row(f"{what}: a file", median(pair[0] for pair in pairs) / files * 1e6, "us"))
            rows.append(row(f"{what}: a plain walk", median(found / plain for found, plain in pairs), "x"))
        return rows


def _walk(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            Path(place, name).stat()


def _seconds(action: Callable[[], object]) -> float:
    started = process_time()
    action()
    return process_time() - started
