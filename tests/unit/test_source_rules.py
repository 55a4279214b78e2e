"""Rules about the source code that the linters do not check."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGES = ("virnucpro_bus", "workers", "monitor")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MAX_LINES = 400

BANNED_MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "marshal", "shelve", "yaml"}
BANNED_CALLS = {"eval", "exec"}
BANNED_ATTRIBUTES = {"recv_pyobj", "send_pyobj", "forkpty"}
FORKING_MODULE = "workers/process/zygote.py"
"""The one that may fork without executing a program. It does so before there is a thread, a socket or a GPU."""
# Shared through a manager process or a feeder thread; allowed on the modules below.
BANNED_SHARING = {"Queue", "JoinableQueue", "SimpleQueue", "Manager", "Lock", "RLock"}
THREAD_MODULES = {"threading", "queue", "asyncio"}


def is_clock(module: str, name: str) -> bool:
    """Whether a name reads a clock: everything in `time` but sleep counts, and now() and today()."""
    return (module == "time" and name != "sleep") or (
        module in {"datetime", "date"} and name in {"now", "utcnow", "today"}
    )


def offences(tree: ast.Module, *, may_read_clocks: bool = False, may_fork: bool = False) -> Iterator[str]:
    """Yield what a module does that is banned, as `line: name`."""
    banned_attributes = BANNED_ATTRIBUTES | (set() if may_fork else {"fork"})
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [name.name for name in names if name.name.partition(".")[0] in BANNED_MODULES]
            case ast.ImportFrom(module=str(module), names=names):
                found = [
                    f"{module}.{name.name}"
                    for name in names
                    if module.partition(".")[0] in BANNED_MODULES
                    or name.name in banned_attributes
                    or (module.startswith("multiprocessing") and name.name in BANNED_SHARING)
                    or (module == "time" and is_clock(module, name.name) and not may_read_clocks)
                ]
            case ast.Call(func=ast.Name(id=called)) if called in BANNED_CALLS:
                found = [called]
            case ast.Attribute(value=owner, attr=name):
                module = ast.unparse(owner).rpartition(".")[2]
                banned = (
                    name in banned_attributes
                    or (name in BANNED_SHARING and module not in THREAD_MODULES)
                    or (is_clock(module, name) and not may_read_clocks)
                )
                found = [f"{module}.{name}"] if banned else []
            case _:
                continue
        yield from (f"{node.lineno}: {name}" for name in found)


def module_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def sources() -> dict[str, ast.Module]:
    """The tree of each module, by its name."""
    return {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def test_nothing_banned_is_used() -> None:
    found = [
        f"{name}:{offence}"
        for name, tree in sources().items()
        for offence in offences(
            tree, may_read_clocks=name == "virnucpro_bus/clock.py", may_fork=name == FORKING_MODULE
        )
    ]
    assert found == []


def test_decoders_of_types_are_made_once_and_not_by_threads_that_may_do_so_at_the_same_time() -> None:
    """Two threads that make decoders of one type at the same time can crash in msgspec."""
    calls = (
        (f"{name}:{node.lineno}", node)
        for name, tree in sources().items()
        if name.startswith("virnucpro_bus/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "decode"
    )
    assert [place for place, call in calls if any(each.arg == "type" for each in call.keywords)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import yaml.nodes",
        "from marshal import loads",
        "socket.recv_pyobj()",
        "self.socket.send_pyobj(1)",
        "eval('1')",
        "exec('1')",
        "import os; os.fork()",
        "from os import fork",
        "import multiprocessing; multiprocessing.Queue()",
        "import multiprocessing as mp; mp.get_context('spawn').Manager()",
        "from multiprocessing import Lock",
        "import time; time.time()",
        "import time; clock = time.monotonic_ns",
        "from time import perf_counter",
        "import datetime; datetime.datetime.now()",
    ],
)
def test_each_banned_thing_is_noticed(source: str) -> None:
    assert len(list(offences(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import time; time.sleep(1)",
        "import threading; threading.Lock()",
        "import queue; queue.Queue()",
        "import multiprocessing; multiprocessing.get_context('spawn').Process()",
        "model.eval()",
    ],
)
def test_what_is_not_banned_passes(source: str) -> None:
    assert list(offences(ast.parse(source))) == []


def test_no_file_is_longer_than_400_lines() -> None:
    lines = {module_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


# Records requests, so an import that is tried and caught counts even where the module is not installed.
WATCHED_IMPORT = """
import importlib, json, sys
class Watch:
    asked = []
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "rich", "pynvml"):
            self.asked.append(name)
sys.meta_path.insert(0, Watch())
importlib.import_module(sys.argv[1])
print(json.dumps(Watch.asked))
"""


@pytest.mark.parametrize("package", ["virnucpro_bus", "workers"])
def test_importing_the_package_asks_for_no_gpu_terminal_or_torch_library(package: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WATCHED_IMPORT, package]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == []


def constants_then_classes_then_functions(name: str) -> tuple[int, str]:
    """The order that ruff's RUF022 demands of `__all__`."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def is_of_a_face(node: ast.stmt) -> bool:
    """Whether it may stand in an `__init__.py`: a docstring, an import, a sorted `__all__`, where to find that."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())) | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body):
            return all(isinstance(each, ast.ImportFrom) for each in body)
        case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
            names = ast.literal_eval(value)
            return bool(names == sorted(names, key=constants_then_classes_then_functions))
        case ast.Assign(targets=[ast.Name(id="__getattr__")], value=ast.Call(func=ast.Name(id="lazily"))):
            return True
    return False


def test_init_files_hold_only_a_docstring_imports_a_sorted_all_and_where_to_find_it() -> None:
    found = [
        f"{name}:{node.lineno}: {ast.unparse(node)}"
        for name, tree in sources().items()
        if name.endswith("__init__.py")
        for node in tree.body
        if not is_of_a_face(node)
    ]
    assert found == []


@pytest.mark.parametrize("package", ["virnucpro_bus", "workers", "monitor", "monitor.gpu"])
def test_a_package_exports_the_names_in_all_that_type_checkers_see(package: str) -> None:
    module = importlib.import_module(package)
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module not in ("typing", "virnucpro_bus._lazy")
        for alias in node.names
    }
    assert sorted(seen) == sorted(module.__all__)
    for name, home in seen.items():
        assert getattr(module, name) is getattr(importlib.import_module(str(home)), name)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018


def test_what_the_workers_and_the_monitor_make_public_is_a_public_name_of_the_bus_too() -> None:
    import monitor
    import virnucpro_bus
    import workers

    for package in (workers, monitor):
        assert set(package.__all__) <= set(virnucpro_bus.__all__)
        assert all(getattr(virnucpro_bus, name) is getattr(package, name) for name in package.__all__)


NOT_FOR_WORKERS = {
    "asyncio",
    "click",
    "dnaio",
    "importlib.metadata",
    "virnucpro_bus.events.codec",
    "virnucpro_bus.fold.fleet",
    "workers.coordinator.coordinator",
}


NOT_FOR_THE_COMMAND_LINE = {
    "zmq",
    "workers.cli.planned_run",
    "workers.launch.launcher",
    "workers.pool.pool",
    "workers.coordinator.coordinator",
}


NOT_FOR_THE_LAUNCHER = {
    "asyncio",
    "difflib",
    "multiprocessing",
    "virnucpro_bus.publish.sender",
    "virnucpro_bus.remote.keys",
    "virnucpro_bus.remote.relay",
    "virnucpro_bus.sources.recording",
}


@pytest.mark.parametrize(
    ("module", "needed", "unneeded"),
    [
        ("workers.process.worker", "zmq", NOT_FOR_WORKERS),
        ("workers.cli.run", "workers.pool.zygote", NOT_FOR_THE_COMMAND_LINE),
        ("workers.launch.launcher", "virnucpro_bus.hub.hub", NOT_FOR_THE_LAUNCHER),
    ],
)
def test_what_the_first_file_waits_for_loads_no_more_than_it_needs(
    module: str, needed: str, unneeded: set[str]
) -> None:
    """The zygote is started by the command line, and a GPU idles until launcher and worker are up."""
    program = f"import sys, {module}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert needed in loaded
    assert loaded.isdisjoint(unneeded)


@pytest.mark.parametrize("name", sorted(NOT_FOR_WORKERS | NOT_FOR_THE_COMMAND_LINE | NOT_FOR_THE_LAUNCHER))
def test_each_module_that_must_not_be_loaded_exists(name: str) -> None:
    assert importlib.util.find_spec(name) is not None
