"""What every test may use: tiny models made by seed, a private cache, and no network."""

from __future__ import annotations

import socket

import pytest

from tests.tiny_models import ARCHITECTURES, make_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """Return a function: architecture -> folder of a seeded tiny model in Hugging Face layout."""
    root, made = tmp_path_factory.mktemp("tiny"), {}

    def folder(architecture: str = "bert"):
        if architecture not in made:
            made[architecture] = make_model(architecture, root / architecture)
        return made[architecture]

    return folder


@pytest.fixture(params=ARCHITECTURES)
def any_model_folder(request, model_folder):
    return model_folder(request.param)


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    """Keep a user's cache out of the tests, but for those that ask for the default model."""
    monkeypatch.setenv("TEXT2VEC_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Fail a test that would reach out of this machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            assert address[0] in {"127.0.0.1", "::1", "localhost"}, f"network: {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
