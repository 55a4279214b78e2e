"""Two hosts on one machine: network namespaces with a cable between them and their own host names."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

HOUR_AHEAD = Path(__file__).with_name("hour_ahead")
"""To be put on PYTHONPATH: processes then take it to be an hour later."""


def renamed_host(name: str) -> list[str]:
    """What is put before a command that is to run on a host of this name; skips the test without permission."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("another host name needs root, and the command unshare")
    return ["unshare", "--uts", "sh", "-c", f'hostname {name}; exec "$@"', "sh"]


@dataclass(frozen=True)
class Host:
    """A network namespace. `prefix` is put before a command that is to run there."""

    namespace: str
    address: str
    link: str

    @property
    def prefix(self) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *renamed_host(self.namespace)]

    def set_link(self, state: str) -> None:
        """Pull the cable ("down"), or plug it in again ("up")."""
        _ip("-n", self.namespace, "link", "set", self.link, state)


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Two hosts that reach each other; skips the test where that is not permitted."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("network namespaces need root, and the commands ip and unshare")
    tag = uuid4().hex[:6]
    hosts = [Host(f"vb-{tag}-{at}", f"10.213.77.{at}", f"v{tag}{at}") for at in (1, 2)]
    try:
        for host in hosts:
            if subprocess.run(["ip", "netns", "add", host.namespace], capture_output=True, check=False).returncode:
                pytest.skip("network namespaces are not permitted here")
        first, second = hosts
        _ip("-n", first.namespace, "link", "add", first.link, "type", "veth", "peer", "name", second.link,
            "netns", second.namespace)  # fmt: skip
        for host in hosts:
            _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", host.link)
            _ip("-n", host.namespace, "link", "set", "lo", "up")
            host.set_link("up")
        yield first, second
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "delete", host.namespace], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def stay(seconds: float) -> None:
    """Let time go by, where time itself is what the test is about."""
    time.sleep(seconds)
