"""Indexes of question sets are built with the fake embedder, and checked in this process."""

from functools import partial

import pytest
from fakes import TopicEmbedder

from rag.index.builder import update
from rag.index.health import verify


@pytest.fixture(autouse=True)
def fast_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rag.index.builder", "eval.retrieve"):
        monkeypatch.setattr(f"{name}.make_embedder", lambda settings: TopicEmbedder())
    monkeypatch.setattr("eval.dataset.update", partial(update, verify=verify))
