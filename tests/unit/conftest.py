"""Fixtures that several unit tests of the local model share."""

from __future__ import annotations

import pytest

from tests.fakes.tiny_encoder import write_tiny_encoder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny random BERT."""
    return str(write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny"))
