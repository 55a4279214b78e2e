"""Finding the cluster that a user has named: what is wrong with the name is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from virnucpro_bus.errors import UserError

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")

from workers.dask.cluster import ClusterOptions, connect


def refusal(options: ClusterOptions) -> str:
    with pytest.raises(UserError) as raised:
        connect(options)
    return str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff", "is not the file of a Dask scheduler; write one with dask scheduler --scheduler-file"),
        (b"[]", "is not the file of a Dask scheduler; write one with dask scheduler --scheduler-file"),
        (b'{"address": 7}', "is not the file of a Dask scheduler; write one with dask scheduler --scheduler-file"),
    ],
)
def test_a_scheduler_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "scheduler.json"
    if content is not None:
        path.write_bytes(content)
    assert refusal(ClusterOptions(scheduler_file=path)) == f"--scheduler-file {path}: {said}"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("no_colon", "is not of the form MODULE:ATTR, such as my_site:make_cluster"),
        ("no_such_module:make", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("made_site:missing", "AttributeError: module 'made_site' has no attribute 'missing'"),
        ("made_site:fails", "ValueError: no allocation"),
        ("made_site:leaves", "SystemExit: 3"),
        ("made_site:number", "is 7; it must be a Dask cluster, or a function that returns one"),
        ("made_site:makes_none", "is None; it must be a Dask cluster, or a function that returns one"),
    ],
)
def test_a_cluster_of_the_users_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, said: str
) -> None:
    (tmp_path / "made_site.py").write_text(
        "number = 7\n"
        "def fails(): raise ValueError('no allocation')\n"
        "def leaves(): raise SystemExit(3)\n"
        "def makes_none(): return None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert refusal(ClusterOptions(cluster=spec)) == f"--cluster {spec}: {said}"
