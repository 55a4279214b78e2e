"""Embeddings by the real command: a run that was killed and resumed has the bytes of one that was not."""

from __future__ import annotations

import random
import signal
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs torch: pip install 'virnucpro-bus[models]'")

from tests.support.lab import Lab
from tests.support.run_files import recorded, results
from tests.support.tiny_models import make_esm
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import FileCommitted
from workers.fault_injection import VARIABLE
from workers.jobs.embedding.embed import Embed
from workers.jobs.interface import JobContext

FILES = 6


def make_proteins(folder: Path) -> list[Path]:
    """Make files of 2 to 12 proteins; the last one has a protein that is longer than ESM reads."""
    dice = random.Random(5)
    folder.mkdir()
    paths = []
    for number in range(FILES):
        lengths = [dice.randint(5, 200) for _ in range(2 * number + 1)] + [2000 if number == FILES - 1 else 9]
        proteins = ["".join(dice.choices("ACDEFGHIKLMNPQRSTVWY", k=length)) for length in lengths]
        paths.append(folder / f"proteins_{number}.faa")
        paths[-1].write_text("".join(f">p{at}\n{protein}\n" for at, protein in enumerate(proteins)))
    return paths


def embedded_by_one(files: list[Path], model: Path, output: Path) -> dict[str, bytes]:
    """What the job makes of `files` in one process, one after the other."""
    context = JobContext("cpu", "cpu:0", {"model": str(model)}, on_progress=lambda *_: None, clock=ManualClock())
    job = Embed(context)
    output.mkdir()
    for file in files:
        job(file, output, context)
    return {path.name: path.read_bytes() for path in output.iterdir()}


def test_a_run_that_is_killed_and_resumed_has_the_results_of_one_that_is_not(lab: Lab) -> None:
    model = make_esm(lab.folder / "esm2_tiny")
    files = make_proteins(lab.folder / "in")
    command = ("run", "in", "--out", "out", "--no-dashboard", "--resume", "--job", "embed", "--job-option")
    one_thread = {"OMP_NUM_THREADS": "1"}
    killed = lab.run(
        *command, f"model={model}", "--devices", "cpu:2", **one_thread, **{VARIABLE: "kill after_results_sync"}
    )
    assert killed.wait() == -signal.SIGKILL, killed.stderr
    resumed = lab.run(*command, f"model={model}", "--devices", "cpu:1", **one_thread)
    assert resumed.wait() == 0, resumed.stderr
    assert f"{FILES} of {FILES} files done" in resumed.stdout
    assert "1 of 12 sequences are longer than 1022 tokens and were cut" in resumed.stderr
    out = lab.folder / "out"
    assert Counter(envelope.event.file for envelope in recorded(out, FileCommitted)) == Counter(
        path.name for path in files
    )
    assert results(out) == embedded_by_one(files, model, lab.folder / "alone")
