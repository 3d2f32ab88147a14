import os
import socket
import sys

import pytest

from rag.errors import SettingsError
from rag.index.ray_workers import LOCAL, connected


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"--ray needs the package 'ray'.*\[cluster\]"), connected(LOCAL):
        pass


@pytest.mark.slow
def test_an_address_without_a_cluster_is_named_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (
        pytest.raises(SettingsError, match=f"No Ray cluster answers at '{address}'.*ray start --head"),
        connected(address),
    ):
        pass
    assert "RAY_BACKEND_LOG_LEVEL" not in os.environ
