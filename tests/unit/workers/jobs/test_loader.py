"""The context that a job gets, and how a job is found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import EveryFileError, UserError
from workers.jobs import JobContext, make_job


def make_context(
    clock: ManualClock | None = None, reported: list[int] | None = None, **options: str
) -> JobContext:
    reports = [] if reported is None else reported
    return JobContext(
        "cuda:0", "GPU-1", options, on_progress=lambda done, _: reports.append(done), clock=clock or ManualClock()
    )


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Writes a module into the current folder and returns its name; both are removed afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    before = set(sys.modules)

    def write(text: str, name: str = "job_of_a_user") -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return name

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_progress_is_passed_on_at_most_four_times_a_second() -> None:
    clock = ManualClock()
    reported: list[int] = []
    context = make_context(clock, reported)
    for sequences in range(1, 101):
        context.progress(sequences)
        clock.advance(0.01)
    assert reported == [1, 26, 51, 76]


@pytest.mark.parametrize("nonsense", [-1, 5, 4, True, None, "6", 6.5, 2**70])
def test_invalid_progress_is_ignored(nonsense: Any) -> None:
    clock = ManualClock()
    reported: list[int] = []
    context = make_context(clock, reported)
    context.progress(5)
    clock.advance(1)
    context.progress(nonsense)
    assert reported == [5]


@given(st.lists(st.tuples(st.integers(-5, 50), st.floats(0, 0.5))))
def test_progress_that_is_passed_on_only_grows(steps: list[tuple[int, float]]) -> None:
    clock = ManualClock()
    reported: list[int] = []
    context = make_context(clock, reported)
    for sequences, pause in steps:
        context.progress(sequences)
        clock.advance(pause)
    assert reported == sorted(set(reported))


def test_progress_starts_from_zero_with_each_file(user_module: Any, tmp_path: Path) -> None:
    clock = ManualClock()
    reported: list[int] = []
    context = make_context(clock, reported)
    name = user_module("def run(input, output, context):\n    context.progress(3)\n    return 3\n")
    job = make_job(f"{name}:run", context)
    job(tmp_path, tmp_path)
    clock.advance(1)
    job(tmp_path, tmp_path)
    assert reported == [3, 3]


def test_the_first_warning_of_a_file_counts_in_one_printable_line(user_module: Any, tmp_path: Path) -> None:
    name = user_module(
        "def run(input, output, context):\n"
        "    if input.name == 'odd':\n"
        "        context.warn('two\\nlines \\x1b[2J')\n"
        "        context.warn('later')\n"
        "    return 1\n"
    )
    context = make_context()
    job = make_job(f"{name}:run", context)
    job(Path("/odd"), tmp_path)
    assert context.warning == r"two lines \x1b[2J"
    job(Path("/even"), tmp_path)
    assert context.warning is None


def test_options_cannot_be_changed_by_a_job() -> None:
    options: Any = make_context(chunk="7").options
    with pytest.raises(TypeError):
        options["chunk"] = "8"


def test_a_function_is_called_with_input_output_and_context(user_module: Any, tmp_path: Path) -> None:
    name = user_module(
        "def run(input, output, context):\n"
        "    (output / 'seen').write_text(f'{input.name} {context.device} {context.options[\"k\"]}')\n"
        "    return 2\n"
    )
    assert make_job(f"{name}:run", make_context(k="v"))(Path("/in.fa"), tmp_path) == 2
    assert (tmp_path / "seen").read_text() == "in.fa cuda:0 v"


def test_a_class_is_instantiated_once_and_its_instance_called_for_each_file(
    user_module: Any, tmp_path: Path
) -> None:
    name = user_module(
        "class Model:\n"
        "    made = 0\n"
        "    def __init__(self, context):\n"
        "        Model.made += 1\n"
        "        self.files = 0\n"
        "    def __call__(self, input, output, context):\n"
        "        self.files += 1\n"
        "        return 10 * Model.made + self.files\n"
    )
    job = make_job(f"{name}:Model", make_context())
    assert [job(tmp_path, tmp_path) for _ in range(3)] == [11, 12, 13]


def test_an_integer_of_another_library_is_a_count(user_module: Any, tmp_path: Path) -> None:
    name = user_module(
        "class Int64:\n    def __index__(self):\n        return 7\n"
        "def run(input, output, context):\n    return Int64()\n"
    )
    assert make_job(f"{name}:run", make_context())(tmp_path, tmp_path) == 7


@pytest.mark.parametrize("returned", ["None", "True", "-1", "1.0", "'3'", "2**63", "...", "[1]"])
def test_the_error_for_a_job_that_does_not_return_a_count_shows_what_it_returned(
    user_module: Any, tmp_path: Path, returned: str
) -> None:
    name = user_module(f"def run(input, output, context):\n    return {returned}\n")
    with pytest.raises(EveryFileError, match="must return the number of sequences") as caught:
        make_job(f"{name}:run", make_context())(tmp_path, tmp_path)
    assert f"returned {eval(returned)!r}" in str(caught.value)


def test_what_is_returned_may_be_impossible_to_show(user_module: Any, tmp_path: Path) -> None:
    name = user_module(
        "class Odd:\n"
        "    def __index__(self):\n        raise ValueError\n"
        "    def __repr__(self):\n        raise ValueError\n"
        "def run(input, output, context):\n    return Odd()\n"
    )
    with pytest.raises(EveryFileError, match="returned <its repr\\(\\) raises ValueError>"):
        make_job(f"{name}:run", make_context())(tmp_path, tmp_path)


@pytest.mark.parametrize(
    "parameters",
    ["input, output, context", "*arguments", "input, output, context, more=1", "a, b, c, /, **options"],
)
def test_a_job_takes_three_arguments_whatever_it_calls_them(user_module: Any, parameters: str) -> None:
    name = user_module(f"def run({parameters}):\n    return 1\n")
    make_job(f"{name}:run", make_context())


def test_a_decorated_job_is_known_by_what_the_decorator_takes(user_module: Any, tmp_path: Path) -> None:
    name = user_module(
        "import functools\n"
        "def alone(function):\n"
        "    @functools.wraps(function)\n"
        "    def run(input, output, context):\n        return function(input)\n"
        "    return run\n"
        "@alone\ndef run(input):\n    return 5\n"
    )
    assert make_job(f"{name}:run", make_context())(tmp_path, tmp_path) == 5


def test_what_a_job_raises_reaches_the_worker_unchanged(user_module: Any, tmp_path: Path) -> None:
    name = user_module("def run(input, output, context):\n    raise RuntimeError('out of memory')\n")
    with pytest.raises(RuntimeError, match="out of memory"):
        make_job(f"{name}:run", make_context())(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("text", "attribute", "message"),
    [
        ("import no_such_module_anywhere", "run", "ModuleNotFoundError"),
        ("", "run", "AttributeError"),
        ("run = 3", "run", "not callable: it is 3"),
        ("def run(input, output): pass", "run", "cannot be called as job(input, output, context)"),
        ("def run(input, output, *, context): pass", "run", "cannot be called as job(input, output, context)"),
        (
            "class Run:\n    def __init__(self, context): pass\n    def __call__(self, input): pass",
            "Run",
            "cannot be called as job(input, output, context)",
        ),
        ("def run(:", "run", "SyntaxError"),
        (
            "class Run:\n    def __init__(self, context):\n        raise OSError('no model\\nhere')",
            "Run",
            "no model",
        ),
        ("class Run:\n    def __init__(self, context):\n        pass", "Run", "not callable"),
    ],
)
def test_a_job_that_cannot_be_loaded_is_reported_in_one_line(
    user_module: Any, text: str, attribute: str, message: str
) -> None:
    name = user_module(text)
    with pytest.raises(UserError) as caught:
        make_job(f"{name}:{attribute}", make_context())
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_the_target_of_a_name_comes_before_the_users_modules(user_module: Any, tmp_path: Path) -> None:
    user_module("raise SystemExit('the user')", name="workers")
    (tmp_path / "a.fa").write_text(">a\nACGT\n")
    (tmp_path / "out").mkdir()
    job = make_job("sixframe", make_context(), "workers.jobs.sixframe:run_sixframe")
    assert job(tmp_path / "a.fa", tmp_path / "out") == 1
    assert str(tmp_path) not in sys.path


def test_what_a_job_asks_of_the_user_while_it_loads_is_reported_as_it_is(user_module: Any) -> None:
    name = user_module(
        "from virnucpro_bus.errors import UserError\n"
        "class Run:\n    def __init__(self, context):\n        raise UserError('model: give a folder')\n"
    )
    with pytest.raises(UserError) as caught:
        make_job(f"{name}:Run", make_context())
    assert str(caught.value) == f"job '{name}:Run' cannot be loaded: model: give a folder"


def test_a_missing_module_is_reported(user_module: Any) -> None:
    with pytest.raises(UserError, match="No module named 'nowhere_to_be_found'"):
        make_job("nowhere_to_be_found:run", make_context())
