"""Tiny models, each made once; only for tests that have torch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Models this small are slower with several threads, and the tests run in several processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def esm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.tiny_models import make_esm

    return make_esm(tmp_path_factory.mktemp("models") / "esm2_tiny")


@pytest.fixture(scope="session")
def dnabert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.tiny_models import make_dnabert

    return make_dnabert(tmp_path_factory.mktemp("models") / "DNABERT-S")


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.tiny_models import make_bert

    return make_bert(tmp_path_factory.mktemp("models") / "bert")


@pytest.fixture(scope="session")
def fair_esm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.tiny_models import make_fair_esm

    return make_fair_esm(tmp_path_factory.mktemp("models") / "fair_esm")
