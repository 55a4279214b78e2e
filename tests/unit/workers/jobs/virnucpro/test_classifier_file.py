"""A classifier's file is checked before the run, without a framework."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from virnucpro_bus.errors import UserError
from workers.jobs.virnucpro.classifier_file import check_classifier_file


def safetensors(path: Path, header: object) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    return path


def test_the_width_of_safetensors_is_known_and_that_of_a_pickle_is_not(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "hidden_layer.weight": {"dtype": "F32", "shape": [512, 3328], "data_offsets": [0, 1]},
    }
    assert check_classifier_file(safetensors(tmp_path / "a.safetensors", header)) == 3328
    (tmp_path / "a.pth").touch()
    assert check_classifier_file(tmp_path / "a.pth") is None


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"hidden_layer.weight": {"shape": [512]}},
        {"hidden_layer.weight": {"shape": [512, -1]}},
        {"hidden_layer.weight": [1, 2]},
        [1],
        b"not JSON",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_safetensors_of_something_else_are_refused(tmp_path: Path, header: object) -> None:
    path = safetensors(tmp_path / "a.safetensors", header)
    with pytest.raises(UserError) as refused:
        check_classifier_file(path)
    assert str(refused.value) == f"{path}: does not hold VirNucPro's classifier: it has no hidden_layer.weight"


def test_a_file_that_is_missing_or_has_another_suffix_is_refused(tmp_path: Path) -> None:
    for name, reason in (
        ("a.pth", "cannot be read: No such file or directory; give the classifier's file"),
        (
            "a.onnx",
            "is not a classifier's file by its name; give VirNucPro's .pth file, or .safetensors",
        ),
    ):
        with pytest.raises(UserError) as refused:
            check_classifier_file(tmp_path / name)
        assert str(refused.value) == f"{tmp_path / name}: {reason}"
