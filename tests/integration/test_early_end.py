"""A run that ends before its last file, because all of them fail alike or as the user demands, and is resumed."""

from __future__ import annotations

from tests.support.lab import Lab
from tests.support.run_files import Gates, recorded, result_names, results, small_files, summary
from virnucpro_bus.events.vocabulary import FileFailed, WorkerLost
from workers.desk.first_failures import FIRST_FILES

FILES = 24
RUN = ("run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard")
BUG = "def job(input, output, context):\n    return input.read_text().lenght()\n"
MENDED = "def job(input, output, context):\n    (output / input.name).touch()\n    return 1\n"


def job_of(lab: Lab, text: str) -> tuple[str, str]:
    (lab.folder / "own_job.py").write_text(text)
    return "--job", "own_job:job"


def test_a_job_with_a_bug_ends_the_run_after_a_dozen_files_and_the_mended_one_continues_it(lab: Lab) -> None:
    names = small_files(lab.folder / "in", FILES)
    ended = lab.run(*RUN, *job_of(lab, BUG))
    assert ended.wait() == 2
    tried, end = ended.stderr.splitlines()
    assert "AttributeError: 'str' object has no attribute 'lenght'; log: logs/" in tried
    assert f"the run ends early: no file is completed, and the first {FIRST_FILES} fail alike, such as " in end
    assert end.endswith("with --resume, and with --halt never to try all files in any case")
    failed = recorded(lab.folder / "out", FileFailed)
    # The other device may have tried more while the shortest file was in progress.
    assert FIRST_FILES <= len({each.event.file for each in failed}) < FILES
    totals = summary(lab.folder / "out")["totals"]
    assert (totals["files_total"], totals["files_completed"], totals["files_failed"]) == (FILES, 0, 0)
    assert lab.run(*RUN, *job_of(lab, MENDED), "--resume").wait() == 0
    assert results(lab.folder / "out").keys() == set(names)


def test_where_all_files_are_to_be_tried_each_fails_and_those_alike_share_a_line(lab: Lab) -> None:
    small_files(lab.folder / "in", FILES)
    ended = lab.run(*RUN, *job_of(lab, BUG), "--retries", "0", "--halt", "never")
    assert ended.wait() == 3
    (line,) = ended.stderr.splitlines()
    assert line == (
        f"virnucpro-bus: failed: small_00.fa, and {FILES - 1} more alike: AttributeError: 'str' object has no "
        "attribute 'lenght'; log: logs/small_00.fa.1.log"
    )
    assert summary(lab.folder / "out")["totals"]["files_failed"] == FILES


def test_a_run_that_is_to_halt_now_stops_the_file_in_progress_and_charges_it_to_none(lab: Lab) -> None:
    first, *others = small_files(lab.folder / "in", 6)
    gates = Gates(lab.folder / "gates")
    gates.close(first, *others)
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    ended = lab.start(*RUN, *job, "--halt", "now,success=2")
    ended.until(lambda: first in gates.waiting(), "the biggest file is in progress")
    gates.open(*others)
    assert ended.wait() == 0
    (line,) = ended.stderr.splitlines()
    assert "files are completed (--halt now,success=2); to continue it, give the same command with" in line
    done = results(lab.folder / "out").keys()
    assert done <= result_names(others)
    (lost,) = [each.event for each in recorded(lab.folder / "out", WorkerLost) if each.event.file]
    assert (lost.file, lost.reason) == (first, "was ended with the run")
    assert summary(lab.folder / "out")["totals"]["files_failed"] == 0
    gates.open()
    assert lab.run(*RUN, *job, "--resume").wait() == 0
    assert results(lab.folder / "out").keys() == result_names([first, *others])
