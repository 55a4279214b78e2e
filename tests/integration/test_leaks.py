"""Every test here ends with the proof that nothing of it is left; these show that the proof would notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.lab import Lab, wait_until

LEAVER = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "left behind"], start_new_session=True)
"""


def test_a_process_that_was_left_behind_in_a_session_of_its_own_is_found(lab: Lab) -> None:
    program = lab.folder / "leaver.py"
    program.write_text(LEAVER)
    assert lab.run(program=program).wait() == 0
    ((pid, command),) = lab.processes().items()
    assert "left behind" in command
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not lab.processes(), "it has ended")


def test_a_socket_on_which_somebody_listens_is_found(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "left.sock"
    code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); input()"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE) as listener:
        wait_until(path.exists, "the socket is there")
        wait_until(lambda: lab.sockets() == [str(path)], "it is found")
        listener.communicate(b"\n")
    assert lab.sockets() == []
