"""What a worker's environment has that its launcher's has not."""

from __future__ import annotations

import pytest

from workers.pool.environment import worker_environment


@pytest.mark.parametrize("key", ["cpu:0", "GPU-a"])
def test_each_numerical_library_gets_the_workers_share_of_the_cores(key: str) -> None:
    made = worker_environment({}, key, 3)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        assert made[name] == "3"


def test_what_the_user_has_set_stays() -> None:
    made = worker_environment({"MKL_NUM_THREADS": "8", "HOME": "/root"}, "cpu:0", 3)
    assert (made["MKL_NUM_THREADS"], made["OMP_NUM_THREADS"], made["HOME"]) == ("8", "3", "/root")


def test_where_the_user_has_set_the_threads_of_openmp_the_others_follow_it() -> None:
    assert {name for name in worker_environment({"OMP_NUM_THREADS": "8"}, "cpu:0", 3) if "THREADS" in name} == {
        "OMP_NUM_THREADS"
    }


@pytest.mark.parametrize(
    ("key", "seen"),
    [
        ("cpu:3", ""),
        ("sim:0#1", ""),
        ("GPU-a", "GPU-a"),
        ("MIG-b", "MIG-b"),
        ("GPU-a#1", "GPU-a"),
        ("GPU-b+GPU-a", "GPU-b,GPU-a"),
    ],
)
def test_a_worker_sees_its_own_gpus_and_no_others(key: str, seen: str) -> None:
    assert worker_environment({"CUDA_VISIBLE_DEVICES": "0,1"}, key, 1)["CUDA_VISIBLE_DEVICES"] == seen
