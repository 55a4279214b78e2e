"""Finding the logs of a run: by their names, and only those with something in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.logs.find import find_logs, log_of, logs_of
from virnucpro_bus.logs.names import AttemptName, log_name, parse_log_name


def write(run_dir: Path, name: str, text: str = "printed\n", at_ns: int = 0) -> None:
    path = run_dir / "logs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(at_ns, at_ns))


@given(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=50),
    st.integers(1, 10**6),
    st.integers(1, 100),
)
def test_the_name_of_a_log_says_whose_it_is(file: str, attempt: int, repeat: int) -> None:
    assert parse_log_name(log_name(file, attempt, repeat)) == AttemptName(file, attempt, repeat)


@pytest.mark.parametrize("name", ["worker-0.log", "sampler.log", "x.0.log", "x.1~0.log", ".1.log", "x.1.txt"])
def test_other_names_are_of_no_attempt(name: str) -> None:
    assert parse_log_name(name) is None


def test_the_logs_of_a_file_are_those_of_all_its_attempts_the_last_written_last(tmp_path: Path) -> None:
    write(tmp_path, "a.fa.1.log", at_ns=3)
    write(tmp_path, "a.fa.2.log", at_ns=2)
    write(tmp_path, "a.fa.1~2.log", at_ns=4)
    write(tmp_path, "a.1.log")
    write(tmp_path, "worker-0.log")
    assert [log.path.name for log in logs_of(tmp_path, "a.fa")] == ["a.fa.2.log", "a.fa.1.log", "a.fa.1~2.log"]


def test_an_empty_log_is_not_found(tmp_path: Path) -> None:
    write(tmp_path, "a.fa.1.log", "")
    assert find_logs(tmp_path) == []
    assert log_of(tmp_path, "a.fa", 1) is None


def test_the_log_of_an_attempt_is_the_last_one_of_its_number(tmp_path: Path) -> None:
    for name in ("a.fa.1.log", "a.fa.1~2.log", "a.fa.2.log"):
        write(tmp_path, name)
    found = log_of(tmp_path, "a.fa", 1)
    assert found is not None
    assert found.shown == "logs/a.fa.1~2.log"
    assert log_of(tmp_path, "a.fa", 3) is None


@pytest.mark.parametrize("file", ["../secret", "a/b", "\0", "\udc80", "x" * 300])
def test_what_an_event_names_leads_nowhere_else(tmp_path: Path, file: str) -> None:
    write(tmp_path, "b.1.log")
    (tmp_path / "secret.1.log").write_text("secret")
    assert log_of(tmp_path, file, 1) is None


def test_a_link_is_not_taken_for_a_log(tmp_path: Path) -> None:
    write(tmp_path, "b.1.log")
    (tmp_path / "logs" / "a.fa.1.log").symlink_to("/etc/passwd")
    assert logs_of(tmp_path, "a.fa") == []
    assert log_of(tmp_path, "a.fa", 1) is None


def test_a_run_without_logs_has_none(tmp_path: Path) -> None:
    assert find_logs(tmp_path) == []
