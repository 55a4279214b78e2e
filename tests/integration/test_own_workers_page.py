"""docs/own-workers.md shows programs that work, run as their tools run them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.foreign import ForeignBus
from tests.support.lab import Lab
from tests.support.paths import ROOT
from tests.support.run_files import recorded
from virnucpro_bus.events.run_events import FilesAssigned
from virnucpro_bus.events.vocabulary import FileCompleted

PAGE = (ROOT / "docs" / "own-workers.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def bus(lab: Lab) -> Iterator[ForeignBus]:
    running = ForeignBus(lab)
    yield running
    running.stop()


def test_the_programs_of_the_page_report_every_file_once(lab: Lab, bus: ForeignBus) -> None:
    pytest.importorskip("joblib", reason="needs joblib: scripts/venv requirements-dev.lock")
    for name, text in PROGRAMS.items():
        (lab.folder / name).write_text(text)
    names = []
    for number in range(4):
        names.append(f"{number}.fa")
        (lab.folder / f"{number}.fa").write_text(">x\n>y\n")

    def run(program: str, rank: int) -> None:
        # As torchrun sets them.
        environment = {"RANK": f"{rank}", "WORLD_SIZE": "2", "LOCAL_RANK": f"{rank}", "CUDA_VISIBLE_DEVICES": ""}
        assert bus.work(lab.folder / program, *names, **environment).stderr == ""

    run("pool.py", 0)
    assert bus.report_of(len(names))["totals"]["files_total"] is None
    run("ranked.py", 0)
    run("ranked.py", 1)
    report = bus.report_of(2 * len(names))
    assert (report["totals"]["files_total"], report["totals"]["sequences"]) == (len(names), 4 * len(names))
    planned = [file.file for each in recorded(bus.run_dir, FilesAssigned) for file in each.event.files]
    assert sorted(planned) == names
    run("parallel.py", 0)
    bus.report_of(3 * len(names))
    done = Counter(each.event.file for each in recorded(bus.run_dir, FileCompleted))
    assert done == dict.fromkeys(names, 3)


def test_every_program_of_the_page_is_run_here_but_that_of_ray() -> None:
    assert set(PROGRAMS) == {"ranked.py", "work.py", "pool.py", "parallel.py", "with_ray.py"}
