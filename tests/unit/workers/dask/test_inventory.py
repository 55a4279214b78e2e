"""Which workers of a cluster can take part in a run: those that prove it, and why the others cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.machine import some_inputs
from virnucpro_bus.errors import UserError
from workers.dask.inventory import SharedFolder, remove_left_behind, take_inventory
from workers.dask.member import survey
from workers.dask.member.survey import Member, Question, Unfit, reply_to
from workers.inputs.input_file import InputFile


@pytest.fixture
def files(tmp_path: Path) -> list[InputFile]:
    return list(some_inputs(tmp_path / "in"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[SharedFolder]:
    with SharedFolder(tmp_path / "run") as folder:
        yield folder
    assert not (tmp_path / "run").exists()


def answer(folder: SharedFolder, files: list[InputFile], name: str = "one") -> bytes:
    """What a worker of this machine answers, which looks for no GPU."""
    return reply_to(folder.question(files, wants_device=False), name, "tcp://10.0.0.1:9")


def reason(folder: SharedFolder, given: bytes | Exception) -> str:
    judged = folder.judge(given)
    assert isinstance(judged, Unfit)
    return judged.reason


def test_a_worker_that_shares_folder_and_inputs_takes_part(folder: SharedFolder, files: list[InputFile]) -> None:
    judged = folder.judge(answer(folder, files))
    assert isinstance(judged, Member)
    assert (judged.name, judged.nanny, judged.device) == ("one", "tcp://10.0.0.1:9", None)


def test_a_worker_without_the_run_folder_is_refused(folder: SharedFolder, files: list[InputFile]) -> None:
    question = folder.question(files, wants_device=False)
    folder.path.unlink()
    assert reason(folder, reply_to(question, "one", "")).endswith(
        "cannot be used there: No such file or directory"
    )


def test_a_worker_that_sees_another_folder_under_the_path_is_refused(
    folder: SharedFolder, files: list[InputFile]
) -> None:
    question = folder.question(files, wants_device=False)
    folder.path.write_text("somebody else's")
    assert reason(folder, reply_to(question, "one", "")).endswith("is another folder there")


def test_a_worker_whose_proof_cannot_be_seen_is_refused(folder: SharedFolder, files: list[InputFile]) -> None:
    given = answer(folder, files)
    (folder.path.parent / msgspec.msgpack.decode(given, type=Member).proof).unlink()
    assert reason(folder, given).endswith("what it writes there cannot be seen here")


@pytest.mark.parametrize("proof", ["../elsewhere", "other", "", "/etc/passwd"])
def test_a_proof_is_a_file_beside_the_launchers_and_no_other_is_touched(folder: SharedFolder, proof: str) -> None:
    other = folder.path.parent / "other"
    other.write_text(folder.path.read_text())
    claimed = Member("one", "", "vm", "", 1, None, proof)
    assert "cannot be seen here" in reason(folder, msgspec.msgpack.encode(claimed))
    assert other.exists()
    other.unlink()


def test_a_worker_that_cannot_read_an_input_is_refused(folder: SharedFolder, files: list[InputFile]) -> None:
    question = folder.question(files, wants_device=False)
    files[0].path.rename(files[0].path.with_name("gone"))
    assert reason(folder, reply_to(question, "one", "")).endswith(
        "cannot be read there: No such file or directory"
    )


def test_a_worker_that_sees_another_input_under_the_path_is_refused(
    folder: SharedFolder, files: list[InputFile]
) -> None:
    question = folder.question(files, wants_device=False)
    files[0].path.write_text(">another\nACGT\n")
    assert reason(folder, reply_to(question, "one", "")).endswith("is another file there")


def test_a_worker_of_another_version_is_refused(
    folder: SharedFolder, files: list[InputFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    question = folder.question(files, wants_device=False)
    monkeypatch.setattr(survey, "program_version", lambda: "0.0.1")
    assert reason(folder, reply_to(question, "one", "")).startswith("it has virnucpro-bus 0.0.1, the launcher ")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (ModuleNotFoundError("No module named 'workers'"), "is not installed there: No module named 'workers'"),
        (OSError("\x1b[31m gone"), "it does not answer: OSError: "),
        (b"\xff", "its answer cannot be read"),
        (msgspec.msgpack.encode(["member"]), "its answer cannot be read"),
    ],
)
def test_a_worker_that_gives_no_answer_is_refused_with_the_reason(
    folder: SharedFolder, given: bytes | Exception, said: str
) -> None:
    assert said in reason(folder, given)
    assert "\x1b" not in reason(folder, given)


def test_each_folder_of_inputs_is_asked_for_by_one_file(folder: SharedFolder, files: list[InputFile]) -> None:
    question = msgspec.msgpack.decode(folder.question(files, wants_device=False), type=Question)
    assert len(question.inputs) == 1


def test_the_inventory_orders_workers_and_names_those_that_take_no_part(
    folder: SharedFolder, files: list[InputFile]
) -> None:
    answers: dict[str, bytes | Exception] = {
        f"tcp://10.0.0.{name}:1": answer(folder, files, name) for name in ("10", "9", "zebra")
    }
    inventory = take_inventory(answers | {"tcp://bad:1": OSError("gone")}, folder)
    assert [member.name for member in inventory.members.values()] == ["9", "10", "zebra"]
    assert inventory.unfit == {
        "tcp://bad:1": "tcp://bad:1 takes no part in the run: it does not answer: OSError: gone"
    }


def test_without_any_worker_that_can_take_part_the_run_does_not_begin(folder: SharedFolder) -> None:
    with pytest.raises(
        UserError, match="no worker of the Dask cluster can take part in the run; tcp://bad:1 takes"
    ):
        take_inventory({"tcp://bad:1": OSError("gone")}, folder)


def test_what_a_killed_launcher_has_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({}))
    SharedFolder(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    remove_left_behind(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]
