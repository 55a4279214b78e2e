"""TAB completes our command line, in a real shell where there is one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.lab import COMMAND, Lab
from tests.support.terminal import Terminal

PROMPT = "ready$ "


@pytest.fixture
def bash(lab: Lab) -> Terminal:
    """An interactive bash that has read our script."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash here")
    path = f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}"
    terminal = Terminal(
        lab, "--norc", "-i", program="bash", PS1=PROMPT, PATH=path, HISTFILE="", INPUTRC="/dev/null"
    )
    terminal.until(lambda: PROMPT.strip() in terminal.picture(), "it is there")
    terminal.type(b'eval "$(virnucpro-bus completion bash)"; clear\n')
    terminal.until(lambda: terminal.picture() == PROMPT.strip(), "it has read the script")
    return terminal


def last_line(bash: Terminal) -> str:
    return bash.picture().rpartition("\n")[2]


def completed(bash: Terminal, typed: str, line: str) -> None:
    """Type and wait until TAB has made `line` of it; then take it back."""
    bash.type(f"{typed}\t".encode())
    bash.until(lambda: last_line(bash) == f"{PROMPT}{line}", line)
    bash.type(b"\x15")
    bash.until(lambda: last_line(bash) == PROMPT.strip(), "an empty line")


def test_bash_completes_commands_options_values_and_folders(lab: Lab, bash: Terminal) -> None:
    (lab.folder / "first-run").mkdir()
    completed(bash, "virnucpro-bus mon", "virnucpro-bus monitor")
    completed(bash, "virnucpro-bus replay --start-p", "virnucpro-bus replay --start-paused")
    completed(bash, "virnucpro-bus monitor --sort uti", "virnucpro-bus monitor --sort utilization")
    for command in ("monitor", "tail", "record", "replay"):
        completed(bash, f"virnucpro-bus {command} firs", f"virnucpro-bus {command} first-run/")
    (lab.folder / "second.vbus").touch()
    completed(bash, "virnucpro-bus tail sec", "virnucpro-bus tail second.vbus")
    completed(bash, "virnucpro-bus tail --kinds work.sto", "virnucpro-bus tail --kinds work.stolen")
    both = "virnucpro-bus tail --kinds file.completed,work.sto"
    completed(bash, both, f"{both}len")
    bash.type(b"exit\n")
    assert bash.wait() == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_subcommand_is_offered_to_every_shell(lab: Lab, shell: str) -> None:
    script = lab.run("completion", shell)
    assert script.wait() == 0, script.stderr
    assert f"_VIRNUCPRO_BUS_COMPLETE={shell}_complete" in script.stdout
    words = {"COMP_WORDS": "virnucpro-bus ", "COMP_CWORD": "" if shell == "fish" else "1"}
    offered = lab.run(**words, _VIRNUCPRO_BUS_COMPLETE=f"{shell}_complete")
    assert offered.wait() == 0, offered.stderr
    for name in ("completion", "doctor", "monitor", "replay", "run", "tail"):
        assert name in offered.stdout


def test_a_shell_that_is_not_known_is_a_users_mistake_in_a_line(lab: Lab) -> None:
    refused = lab.run("completion", "tcsh")
    assert refused.wait() == 2
    assert refused.stderr.startswith("virnucpro-bus: ")
    assert len(refused.stderr.splitlines()) == 1
