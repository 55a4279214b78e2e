"""How a process that no launcher of ours has started finds its device."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from virnucpro_bus import own_device
from virnucpro_bus.devices import device_of
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.own_device import (
    LOCAL_RANK_VARIABLES,
    TorchDevice,
    choose_device,
    count_usable_gpus,
    find_own_device,
    find_peer_device,
    gpus_counted_by,
    local_rank,
    torch_device,
)

UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
OTHER = "GPU-0a1b2c3d-0000-4106-c12f-20bd9faed9f6"
MIG = "MIG-8932f937-d72c-4106-c12f-20bd9faed9f6"


def environment_of(visible: str | None, others: dict[str, str]) -> dict[str, str]:
    return others if visible is None else {**others, "CUDA_VISIBLE_DEVICES": visible}


@pytest.mark.parametrize(
    ("visible", "others", "key"),
    [
        (None, {}, "cpu:0"),
        (None, {"LOCAL_RANK": "2"}, "cuda:2"),
        (None, {"SLURM_LOCALID": "1"}, "cuda:1"),
        (None, {"LOCAL_RANK": "2", "SLURM_LOCALID": "1"}, "cuda:2"),
        (None, {"LOCAL_RANK": "x"}, "cpu:0"),
        ("", {}, "cpu:0"),
        ("", {"LOCAL_RANK": "2"}, "cpu:2"),
        ("-1", {"LOCAL_RANK": "2"}, "cpu:2"),
        ("3", {}, "cuda:3"),
        ("3", {"LOCAL_RANK": "1"}, "cuda:3"),
        (UUID, {}, UUID),
        (MIG, {"SLURM_LOCALID": "5"}, MIG),
        ("3,1", {}, "cuda:3"),
        ("3,1", {"LOCAL_RANK": "1"}, "cuda:1"),
        ("3,3", {"LOCAL_RANK": "1"}, "cpu:1"),
        (f"{UUID},{MIG}", {"LOCAL_RANK": "1"}, MIG),
    ],
)
@pytest.mark.parametrize("usable_gpus", [4, None])
def test_a_workers_device_is_derived_from_its_environment(
    visible: str | None, others: dict[str, str], key: str, usable_gpus: int | None
) -> None:
    assert choose_device(environment_of(visible, others), None, usable_gpus).key == key


@pytest.mark.parametrize(
    ("visible", "others", "key"),
    [
        (None, {"LOCAL_RANK": "2"}, "cpu:2"),
        ("3", {}, "cpu:0"),
        ("3,1", {"LOCAL_RANK": "1"}, "cpu:1"),
        (UUID, {}, UUID),
    ],
)
def test_where_the_process_can_use_no_gpu_a_number_is_that_of_a_cpu_worker_and_a_uuid_stays(
    visible: str | None, others: dict[str, str], key: str
) -> None:
    assert choose_device(environment_of(visible, others), None, 0).key == key


@pytest.mark.parametrize(
    ("visible", "torch", "key"),
    [
        (None, TorchDevice(1, UUID), UUID),
        (None, TorchDevice(1, ""), "cuda:1"),
        ("5,7", TorchDevice(1, UUID), UUID),
        ("5,7", TorchDevice(1, ""), "cuda:7"),
        (f"{OTHER},{UUID}", TorchDevice(1, ""), UUID),
        (UUID[:9], TorchDevice(0, UUID), UUID),
        (MIG, TorchDevice(0, UUID), MIG),
        ("", TorchDevice(0, UUID), "cpu:0"),
    ],
)
def test_the_gpu_that_torch_uses_is_the_workers_whatever_its_rank(
    visible: str | None, torch: TorchDevice, key: str
) -> None:
    assert choose_device(environment_of(visible, {"LOCAL_RANK": "0"}), torch, 8).key == key


@pytest.mark.parametrize("variable", LOCAL_RANK_VARIABLES)
def test_every_launcher_has_its_own_variable_for_the_local_rank(variable: str) -> None:
    assert local_rank({variable: "3"}) == 3


def test_an_empty_variable_says_nothing() -> None:
    assert local_rank({"LOCAL_RANK": "", "SLURM_LOCALID": "1"}) == 1


@pytest.mark.parametrize(("named", "key"), [("cuda", UUID), ("cpu", "cpu:1")])
def test_a_device_that_torch_leaves_open_is_the_one_that_the_environment_selects(named: str, key: str) -> None:
    environment = {"CUDA_VISIBLE_DEVICES": f"{OTHER},{UUID}", "LOCAL_RANK": "1"}
    assert find_own_device(environment, Device(named)).key == key


def test_a_cuda_ordinal_is_not_taken_for_an_index() -> None:
    assert choose_device({"CUDA_VISIBLE_DEVICES": "3"}, None, 4).index is None


@pytest.mark.parametrize(
    ("visible", "named", "key"),
    [
        (None, "cuda:1", "cuda:1"),
        ("2,3", "cuda:1", "cuda:3"),
        (f"{OTHER},{UUID}", "cuda:1", UUID),
        ("3", "cuda:1", "cuda:1"),
        ("2,3", UUID, UUID),
        ("2,3", "my own name", "my own name"),
    ],
)
def test_a_number_that_a_program_names_counts_what_it_can_see(visible: str | None, named: str, key: str) -> None:
    assert find_own_device(environment_of(visible, {}), Device(named)).key == key


@pytest.mark.parametrize(
    ("own", "visible", "named", "key"),
    [
        ("cpu:0", None, 1, "cpu:1"),
        ("cpu:0", None, "cuda:1", "cuda:1"),
        ("cuda:0", None, 1, "cuda:1"),
        ("cuda:2", "2,3", 1, "cuda:3"),
        (UUID, f"{UUID},{OTHER}", 1, OTHER),
        (UUID, UUID, "cpu:1", "cpu:1"),
    ],
)
def test_a_number_that_a_worker_says_of_another_is_of_its_own_kind(
    own: str, visible: str | None, named: int | str, key: str
) -> None:
    number = named if isinstance(named, int) else None
    assert find_peer_device(environment_of(visible, {}), own, device_of(str(named)), number).key == key


def test_a_device_that_a_program_describes_keeps_its_description() -> None:
    named = Device("cuda:0", "A100", 5)
    assert find_own_device({"CUDA_VISIBLE_DEVICES": "3"}, named) == Device("cuda:3", "A100", 5)


# torch.


class FakeCuda:
    """As torch.cuda answers once CUDA is initialized: two GPUs, of which one is the current device."""

    def __init__(self, current: int, is_initialized: bool = True) -> None:
        self._current, self._is_initialized = current, is_initialized

    def is_initialized(self) -> bool:
        return self._is_initialized

    def current_device(self) -> int:
        assert self._is_initialized, "this call initializes CUDA"
        return self._current

    def device_count(self) -> int:
        assert self._is_initialized
        return 2

    def get_device_properties(self, ordinal: int) -> object:
        assert self._is_initialized, "this call initializes CUDA"
        return SimpleNamespace(uuid=[OTHER, UUID][ordinal].removeprefix("GPU-"))


@pytest.mark.parametrize(
    ("current", "rank", "found"),
    [(1, None, (1, UUID)), (0, None, (0, OTHER)), (0, 1, (1, UUID)), (1, 0, (1, UUID)), (0, 7, (0, OTHER))],
)
def test_torch_says_its_current_device_or_where_that_was_never_set_the_one_of_the_rank(
    monkeypatch: pytest.MonkeyPatch, current: int, rank: int | None, found: tuple[int, str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=FakeCuda(current)))
    assert torch_device(rank) == found


@pytest.mark.parametrize(
    "torch", [None, object(), SimpleNamespace(cuda=FakeCuda(1, is_initialized=False)), SimpleNamespace(cuda=None)]
)
def test_a_torch_that_has_not_initialized_cuda_says_nothing_and_is_not_made_to(
    monkeypatch: pytest.MonkeyPatch, torch: object
) -> None:
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert torch_device(1) is None


def test_a_number_that_is_named_is_the_gpu_that_torch_has_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=FakeCuda(0)))
    assert find_own_device({"CUDA_VISIBLE_DEVICES": "5,7"}, Device("cuda:1")).key == UUID
    assert find_own_device({}, Device("cuda:2")).key == "cuda:2"


def test_torch_is_not_imported_to_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    find_own_device({"LOCAL_RANK": "0"})
    assert "torch" not in sys.modules


def test_the_torch_that_is_installed_says_nothing_before_it_has_initialized_cuda() -> None:
    pytest.importorskip("torch", reason="needs torch: scripts/venv --group models")
    assert torch_device(0) is None


# Which GPUs the process may open.


@pytest.fixture
def device_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for /dev."""
    monkeypatch.setattr(own_device, "DEVICE_FOLDER", tmp_path)
    return tmp_path


def test_a_process_can_use_the_gpus_that_it_may_open(device_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nvidia0", "nvidia1", "nvidia12", "nvidiactl", "nvidia-uvm", "null"):
        (device_files / name).touch()
    assert count_usable_gpus() == 3
    monkeypatch.setattr("os.access", lambda path, _: path.name != "nvidia1")
    assert count_usable_gpus() == gpus_counted_by("cuda:0") == 2


def test_without_device_files_there_is_no_gpu_and_under_wsl_it_is_unknown_how_many(device_files: Path) -> None:
    assert (count_usable_gpus(), gpus_counted_by("cuda:0")) == (0, None)
    (device_files / "dxg").touch()
    assert count_usable_gpus() is None


@pytest.mark.parametrize("key", [UUID, "cpu:0", "my own name"])
def test_only_a_cuda_ordinal_counts_gpus(device_files: Path, key: str) -> None:
    (device_files / "nvidia0").touch()
    assert gpus_counted_by(key) is None
