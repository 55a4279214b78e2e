"""The classifier: read as upstream saves it, and nothing that a file says is run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs torch: pip install 'virnucpro-bus[models]'")

from safetensors.torch import save_file

from tests.support.classifiers import MLPClassifier, make_classifier, save_as_upstream
from virnucpro_bus.errors import UserError
from workers.jobs.virnucpro.classifier import read_classifier

WIDTH = 20


@pytest.fixture(scope="module")
def classifier() -> MLPClassifier:
    return make_classifier(WIDTH)


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as refused:
        read_classifier(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_every_way_to_save_the_classifier_gives_equal_scores(classifier: MLPClassifier, tmp_path: Path) -> None:
    save_as_upstream(classifier, tmp_path / "script.pth")
    save_as_upstream(classifier, tmp_path / "package.pth", "virnucpro.pipeline.models")
    torch.save(classifier.state_dict(), tmp_path / "state.pth")
    save_file(classifier.state_dict(), tmp_path / "model.safetensors")
    save_file(read_classifier(tmp_path / "script.pth").state_dict(), tmp_path / "converted.safetensors")
    features = torch.randn(300, WIDTH)
    with torch.inference_mode():
        # Upstream scores 256 at a time.
        expected = torch.cat([classifier(batch).softmax(1) for batch in features.split(256)])
    for path in sorted(tmp_path.iterdir()):
        read = read_classifier(path)
        assert read.width == WIDTH
        assert torch.equal(torch.from_numpy(read.score(features.numpy())), expected), path


class Hostile:
    """Makes a file when it is unpickled the usual way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.fspath(self.path),)


def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    made = tmp_path / "made"
    hidden, bare = tmp_path / "hidden.pth", tmp_path / "bare.pth"
    classifier = make_classifier(WIDTH)
    classifier.extra = Hostile(made)
    save_as_upstream(classifier, hidden)
    torch.save(Hostile(made), bare)
    for path in (hidden, bare):
        assert refusal(path) == (
            f"{path}: is not a saved classifier of VirNucPro, and is refused: it names posix.mkdir"
        )
    assert not made.exists()
    torch.load(bare, weights_only=False)
    assert made.exists()  # it would have


def test_another_file_is_refused_in_one_line(classifier: MLPClassifier, tmp_path: Path) -> None:
    refused = "is not a saved classifier of VirNucPro, and is refused"
    path = tmp_path / "a.pth"
    assert refusal(path) == f"{path}: cannot be read: No such file or directory"
    path.write_bytes(b"no pickle")
    assert refusal(path) == f"{path}: {refused}"
    torch.save(torch.nn.Sequential(torch.nn.ReLU()), path)
    assert refusal(path).startswith(f"{path}: {refused}: it names torch.nn.modules.")
    unlike = "does not hold the weights of VirNucPro's classifier"
    torch.save([1, 2], path)
    assert refusal(path) == f"{path}: {unlike}"
    save_as_upstream(MLPClassifier(WIDTH, 8, 3), path)
    assert refusal(path) == f"{path}: {unlike}"
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"no header")
    assert refusal(path) == f"{path}: {refused}"
    save_file({"hidden_layer.weight": torch.ones(2, 2)}, path)
    assert refusal(path) == f"{path}: {unlike}"
