"""Which devices a run uses. A stand-in for `doctor --json`, in a real process, prints the GPUs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.system.cores import Cores
from workers.desk.limits import MAX_DEVICES
from workers.launch import device_discovery as discover
from workers.launch.device_discovery import find_devices, place_workers, simulated_gpus

Machine = Callable[..., None]


def gpu(
    uuid: str,
    index: int | None,
    *,
    name: str | None = "NVIDIA A100",
    lost: bool = False,
    divided: bool = False,
) -> dict[str, Any]:
    return {"uuid": uuid, "index": index, "name": name, "lost": lost, "divided": divided}


A, B, C = gpu("GPU-aa11", 0), gpu("GPU-ab22", 1), gpu("GPU-cc33", 2)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Simulates a machine with these GPUs, or one on which the look-up runs `script`."""

    def has(*gpus: dict[str, Any], script: str | None = None) -> None:
        script = script or f"print({json.dumps({'gpu_backend': 'nvml', 'devices': gpus, 'problems': []})!r})"

        def command(*arguments: str) -> list[str]:
            assert arguments == ("doctor", "--json")
            return [sys.executable, "-c", script]

        monkeypatch.setattr(discover, "self_command", command)

    return has


def keys(spec: str, environment: dict[str, str] | None = None) -> list[str]:
    return [device.key for device in find_devices(spec, environment or {})]


# --- CPUs


def test_cpus_are_counted_from_zero_without_a_look_up(machine: Machine) -> None:
    machine(script="raise SystemExit(1)")
    assert find_devices("cpu:2", {}) == [Device("cpu:0", "CPU", 0), Device("cpu:1", "CPU", 1)]


@pytest.mark.parametrize(
    "spec", ["cpu:0", "cpu:", "cpu", "cpu:-1", "cpu:two", "cpu:1,2", f"cpu:{MAX_DEVICES + 1}"]
)
def test_an_invalid_number_of_cpus_is_refused(spec: str) -> None:
    with pytest.raises(UserError, match=f"--devices {spec}: write cpu:N with N from 1 to {MAX_DEVICES}"):
        find_devices(spec, {})


def test_the_greatest_number_of_cpus_is_accepted() -> None:
    assert len(find_devices(f"cpu:{MAX_DEVICES}", {})) == MAX_DEVICES


def test_auto_without_a_gpu_is_one_device_for_each_usable_core(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine()
    monkeypatch.setattr(discover, "usable_cores", lambda environment: Cores(3, None))
    assert keys("auto", {"CUDA_VISIBLE_DEVICES": "0"}) == ["cpu:0", "cpu:1", "cpu:2"]
    monkeypatch.setattr(discover, "usable_cores", lambda environment: Cores(MAX_DEVICES + 1, None))
    assert len(keys("auto")) == MAX_DEVICES


# --- auto


def test_auto_is_every_gpu_with_name_and_index(machine: Machine) -> None:
    machine(A, gpu("MIG-1", None, name=None))
    assert find_devices("auto", {}) == [Device("GPU-aa11", "NVIDIA A100", 0), Device("MIG-1", "", None)]


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        ("1", ["GPU-ab22"]),
        ("2,0", ["GPU-cc33", "GPU-aa11"]),
        ("GPU-cc33", ["GPU-cc33"]),
        ("GPU-c", ["GPU-cc33"]),
        ("1,-1,0", ["GPU-ab22"]),
    ],
)
def test_auto_takes_what_cuda_visible_devices_leaves(machine: Machine, visible: str, found: list[str]) -> None:
    machine(A, B, C)
    assert keys("auto", {"CUDA_VISIBLE_DEVICES": visible}) == found


@pytest.mark.parametrize("visible", ["", "-1", "none"])
def test_auto_uses_no_gpu_when_all_are_hidden(machine: Machine, visible: str) -> None:
    machine(A, B, C)
    assert keys("auto", {"CUDA_VISIBLE_DEVICES": visible})[0] == "cpu:0"


@pytest.mark.parametrize("visible", ["1,1", "GPU-ab,GPU-ab22"])
@pytest.mark.parametrize("spec", ["auto", "as visible"])
def test_a_gpu_that_is_named_twice_is_refused_in_the_option_as_in_the_variable(
    machine: Machine, visible: str, spec: str
) -> None:
    machine(A, B, C)
    option = "auto" if spec == "auto" else visible if visible.startswith("GPU") else f"cuda:{visible}"
    with pytest.raises(UserError, match=r"names a (GPU|device) twice.*; name each once"):
        find_devices(option, {"CUDA_VISIBLE_DEVICES": visible})


def test_auto_reports_which_visible_device_is_missing(machine: Machine) -> None:
    machine(A)
    with pytest.raises(UserError, match="GPU 5 was not found; this machine has: 0 \\(GPU-aa11\\)"):
        find_devices("auto", {"CUDA_VISIBLE_DEVICES": "5"})


def test_a_gpu_that_is_lost_or_has_no_uuid_is_not_worked_on(machine: Machine) -> None:
    machine(A, gpu("GPU-ab22", 1, lost=True), gpu("nvml:2", 2))
    assert keys("auto") == ["GPU-aa11"]
    with pytest.raises(UserError, match="GPU 1 was not found"):
        find_devices("cuda:0,1", {})


@pytest.mark.parametrize("missing", [gpu("GPU-ab22", 1, lost=True), gpu("nvml:1", 1)])
def test_a_number_is_not_taken_for_a_gpu_while_another_is_lost_or_cannot_be_read(
    machine: Machine, missing: dict[str, Any]
) -> None:
    machine(A, missing, C)
    with pytest.raises(UserError, match="GPU 2 is ambiguous while a GPU is lost or cannot be read; name"):
        find_devices("auto", {"CUDA_VISIBLE_DEVICES": "2"})
    assert keys("auto", {"CUDA_VISIBLE_DEVICES": "GPU-cc33"}) == keys("cuda:2") == ["GPU-cc33"]


def test_auto_takes_the_mig_instances_in_place_of_a_gpu_that_is_divided(machine: Machine) -> None:
    machine(A | {"divided": True}, gpu("MIG-1", None), gpu("MIG-2", None), B)
    assert keys("auto") == ["MIG-1", "MIG-2", "GPU-ab22"]
    assert keys("auto", {"CUDA_VISIBLE_DEVICES": "MIG-2,1"}) == ["MIG-2", "GPU-ab22"]


def test_a_gpu_that_is_divided_cannot_be_worked_on_itself(machine: Machine) -> None:
    machine(A | {"divided": True}, gpu("MIG-1", None))
    with pytest.raises(
        UserError, match=r"--devices cuda:0: GPU GPU-aa11 is divided into MIG instances; name those"
    ):
        find_devices("cuda:0", {})
    with pytest.raises(UserError, match=r"CUDA_VISIBLE_DEVICES: GPU 0 is divided into MIG instances; name those"):
        find_devices("auto", {"CUDA_VISIBLE_DEVICES": "0"})


def test_auto_does_not_use_cpus_in_place_of_a_divided_gpu_without_instances(machine: Machine) -> None:
    machine(A | {"divided": True})
    with pytest.raises(
        UserError, match="GPU GPU-aa11 is divided into MIG instances, but the driver lists no instance; "
    ):
        find_devices("auto", {})
    assert keys("auto", {"CUDA_VISIBLE_DEVICES": ""})[0] == "cpu:0"


@pytest.mark.parametrize("order", [None, "FASTEST_FIRST"])
def test_an_index_among_unlike_gpus_is_refused_because_cuda_counts_otherwise(
    machine: Machine, order: str | None
) -> None:
    machine(A, gpu("GPU-t4", 1, name="NVIDIA T4"))
    environment = {"CUDA_VISIBLE_DEVICES": "1"} | ({} if order is None else {"CUDA_DEVICE_ORDER": order})
    with pytest.raises(UserError, match=r"GPU 1 is ambiguous.*set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name"):
        find_devices("auto", environment)


@pytest.mark.parametrize(("name", "order"), [("NVIDIA A100", "FASTEST_FIRST"), ("NVIDIA T4", "PCI_BUS_ID")])
def test_an_index_is_taken_where_cuda_counts_as_nvml_does(machine: Machine, name: str, order: str) -> None:
    machine(A, gpu("GPU-t4", 1, name=name))
    assert keys("auto", {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": order}) == ["GPU-t4"]


def test_indices_on_the_command_line_are_those_of_nvml_whatever_cuda_counts(machine: Machine) -> None:
    machine(A, gpu("GPU-t4", 1, name="NVIDIA T4"))
    assert keys("cuda:1,0", {"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}) == ["GPU-t4", "GPU-aa11"]


# --- GPUs by name


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("cuda:1", ["GPU-ab22"]),
        ("cuda:2, 0", ["GPU-cc33", "GPU-aa11"]),
        ("GPU-aa11", ["GPU-aa11"]),
        ("GPU-cc33,GPU-ab", ["GPU-cc33", "GPU-ab22"]),
    ],
)
def test_gpus_are_found_by_index_uuid_or_the_beginning_of_one_in_the_order_given(
    machine: Machine, spec: str, found: list[str]
) -> None:
    machine(A, B, C)
    assert keys(spec, {"CUDA_VISIBLE_DEVICES": ""}) == found


def test_a_whole_uuid_wins_over_longer_ones_that_begin_so(machine: Machine) -> None:
    machine(gpu("MIG-1", None), gpu("MIG-11", None))
    assert keys("MIG-1") == ["MIG-1"]


def test_a_beginning_that_fits_several_is_refused(machine: Machine) -> None:
    machine(A, B, C)
    with pytest.raises(UserError, match=r"GPU GPU-a matches several GPUs; this machine has: 0 .*, 1 .*, 2 "):
        find_devices("GPU-a", {})


@pytest.mark.parametrize("spec", ["cuda:0,0", "GPU-aa11,GPU-aa", "cuda:1,2,1"])
def test_a_device_named_twice_is_refused(machine: Machine, spec: str) -> None:
    machine(A, B, C)
    with pytest.raises(UserError, match=f"--devices {spec}: names a device twice"):
        find_devices(spec, {})


@pytest.mark.parametrize("spec", ["cuda:7", "GPU-zz"])
def test_a_gpu_that_is_not_there_is_named_with_those_that_are(machine: Machine, spec: str) -> None:
    machine(A)
    with pytest.raises(UserError, match=r"GPU \S+ was not found; this machine has: 0 \(GPU-aa11\)"):
        find_devices(spec, {})


def test_a_machine_without_gpus_says_so(machine: Machine) -> None:
    machine()
    with pytest.raises(UserError, match="GPU 0 was not found; this machine has: none"):
        find_devices("cuda:0", {})


@pytest.mark.parametrize("spec", ["", "gpu", "gpu:0", "0,1", "auto,cpu:1", "GPU-aa11,1", "GPU-aa11,"])
def test_a_spec_of_unknown_form_is_refused_with_the_known_forms(spec: str) -> None:
    with pytest.raises(UserError, match="write auto, cpu:N, cuda:0,1 or GPU UUIDs"):
        find_devices(spec, {})


@pytest.mark.parametrize("spec", ["cuda:", "cuda:x", "cuda:0,,1", "cuda:-1", "cuda:GPU-aa11"])
def test_cuda_requires_indices(spec: str) -> None:
    with pytest.raises(UserError, match="write cuda: and NVML indices, such as cuda:0,1"):
        find_devices(spec, {})


# --- the look-up


def test_a_driver_that_hangs_costs_a_time_out_and_the_error_says_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discover, "LOOKUP_SECONDS", 0.2)
    machine(script="import time; time.sleep(600)")
    with pytest.raises(UserError, match=r"the GPU driver does not answer; .* or use --devices cpu:N"):
        find_devices("auto", {})


def test_a_driver_that_the_doctor_reports_as_hung_is_not_taken_for_no_gpu(machine: Machine) -> None:
    machine(script="""print('{"gpu_backend": null, "devices": [], "problems": []}')""")
    with pytest.raises(UserError, match="the GPU driver does not answer"):
        find_devices("auto", {})


def test_the_reason_why_the_gpus_cannot_be_read_is_the_doctors(machine: Machine) -> None:
    machine(script="""print('{"gpu_backend": null, "devices": [], "problems": ["NVML: oh; do", "that"]}')""")
    with pytest.raises(UserError, match=r"cannot be read \(NVML: oh; do; that\); use --devices cpu:N"):
        find_devices("auto", {})


@pytest.mark.parametrize("script", ["raise SystemExit(1)", "print('oops')", "print('{}')"])
def test_a_look_up_that_fails_is_a_user_error(machine: Machine, script: str) -> None:
    machine(script=script)
    with pytest.raises(UserError, match=r"the GPUs could not be listed \(.*\); see virnucpro-bus doctor"):
        find_devices("auto", {})


# --- Layouts


@pytest.mark.parametrize("spec", ["cuda:2+0,1", "GPU-cc + GPU-aa, GPU-ab"])
def test_a_plus_sign_joins_the_gpus_of_one_worker(machine: Machine, spec: str) -> None:
    machine(A, B, C)
    assert find_devices(spec, {}) == [
        Device("GPU-cc33+GPU-aa11", "NVIDIA A100", 2, "2+0"),
        Device("GPU-ab22", "NVIDIA A100", 1),
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("cuda:0+1,1", "names a device twice"),
        ("cuda:0+0", "names a device twice"),
        ("cuda:0+", r"such as cuda:0,1 or cuda:0\+1"),
        ("cuda:0+GPU-cc", r"such as cuda:0,1 or cuda:0\+1"),
        ("MIG-1+MIG-2", "CUDA gives a process one MIG instance; name each by itself"),
        (
            "+".join(f"GPU-{number}{'x' * 40}" for number in range(6)),
            "joins too many GPUs for one worker; .* most 5",
        ),
    ],
)
def test_gpus_that_cannot_be_joined_are_refused(machine: Machine, spec: str, message: str) -> None:
    long = (gpu(f"GPU-{number}{'x' * 40}", None) for number in range(6))
    machine(A, B, C, gpu("MIG-1", None), gpu("MIG-2", None), *long)
    with pytest.raises(UserError, match=f"^--devices {re.escape(spec)}: .*{message}"):
        find_devices(spec, {})


def test_workers_are_placed_on_each_device_and_one_changes_nothing(machine: Machine) -> None:
    machine(A, B, C)
    joined = find_devices("cuda:0+1,2", {})
    assert place_workers(joined, 1) == joined
    assert [(each.key, each.label) for each in place_workers(joined, 2)] == [
        ("GPU-aa11+GPU-ab22#0", "0+1#0"),
        ("GPU-aa11+GPU-ab22#1", "0+1#1"),
        ("GPU-cc33#0", "2#0"),
        ("GPU-cc33#1", "2#1"),
    ]


def test_workers_that_share_a_cpu_or_are_too_many_are_refused() -> None:
    with pytest.raises(UserError, match=r"^--workers-per-device 2: is for GPUs.*--devices cpu:N$"):
        place_workers(find_devices("cpu:2", {}), 2)
    with pytest.raises(UserError, match=r"^--workers-per-device 600: makes 1200 workers; .* at most 1024$"):
        place_workers(simulated_gpus(2), 600)
