"""The stand-in for the driver's library, where it cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fake_nvml import library_folder


@pytest.mark.parametrize(("setting", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_without_a_compiler_tests_are_skipped_but_fail_in_continuous_integration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", setting)
    with pytest.raises(outcome, match="no C compiler"):
        library_folder.__wrapped__()
