"""Whatever is sent to the server, no answer is a 5xx and the log stays as it should be."""

from pathlib import Path

import pytest
from fuzz import run


@pytest.mark.slow
def test_no_request_is_answered_with_a_fault_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    statuses, wrong = run(tmp_path, 150, seconds=20)
    assert wrong == [] and sum(statuses.values()) > 20 and statuses[200] and statuses[422]
