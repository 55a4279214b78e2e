"""Which devices the workers of a cluster are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_cluster import member
from virnucpro_bus.devices import display_id
from virnucpro_bus.events.vocabulary import Device
from workers.coordinator.device_names import DeviceNames
from workers.dask.member.survey import Member
from workers.dask.naming import name_devices, name_late


def with_gpu(name: str, uuid: str, index: int, host: str = "vm") -> Member:
    known = member(name, host=host)
    return Member(name, "", host, known.boot, 1, Device(uuid, "H100", index), "")


def test_workers_without_gpus_are_numbered_over_the_cluster() -> None:
    devices = name_devices([member("a"), member("b")])
    assert [device.key for device in devices] == ["cpu:0", "cpu:1"]
    assert [display_id(device) for device in devices] == ["cpu:0", "cpu:1"]


def test_workers_that_see_one_gpu_first_share_it() -> None:
    devices = name_devices([with_gpu("a", "GPU-a", 0), with_gpu("b", "GPU-b", 1), with_gpu("c", "GPU-a", 0)])
    assert [device.key for device in devices] == ["GPU-a#0", "GPU-b", "GPU-a#1"]
    assert [display_id(device) for device in devices] == ["0#0", 1, "0#1"]


def test_on_several_hosts_the_name_of_a_device_shows_its_host() -> None:
    devices = name_devices(
        [with_gpu("a", "GPU-a", 0, "n1"), with_gpu("b", "GPU-b", 0, "n2"), member("c", host="n2")]
    )
    assert [display_id(device) for device in devices] == ["n1/0", "n2/0", "n2/cpu:2"]


def test_a_late_worker_at_a_gpu_in_use_shares_it() -> None:
    present = name_devices([with_gpu("a", "GPU-a", 0)])
    late = name_late(with_gpu("b", "GPU-a", 0), present, tells_host=False)
    assert late.key == "GPU-a#0"


def test_a_late_gpu_of_the_same_index_shows_its_host_even_if_the_other_host_has_left() -> None:
    present = name_devices([with_gpu("a", "GPU-a", 0, "n1")])
    late = name_late(with_gpu("b", "GPU-b", 0, "n2"), present, tells_host=False)
    assert display_id(late) == "n2/0"


members = st.lists(
    st.builds(
        lambda gpu, host: member("w", host=host) if gpu is None else with_gpu("w", f"GPU-{host}-{gpu}", gpu, host),
        st.one_of(st.none(), st.integers(0, 2)),
        st.sampled_from(["n1", "n2"]),
    ),
    min_size=1,
    max_size=12,
)


@given(members, members)
def test_no_two_devices_have_one_name_whoever_is_there_and_comes_late(
    early: list[Member], late: list[Member]
) -> None:
    devices = name_devices(early)
    for newcomer in late:
        hosts = {each.host for each in early} - {newcomer.host}
        devices.append(name_late(newcomer, devices, tells_host=bool(hosts)))
        DeviceNames(devices)
