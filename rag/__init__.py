"""Ask documents, and get answers with the exact sentences they rest on.

The public names, in the order of a question's way. They are imported when first used, so that a small
part of the package starts without the large libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rag.settings import Settings as Settings, read_settings as read_settings  # isort: skip
    from rag.errors import RagError as RagError  # isort: skip
    from rag.types import (  # isort: skip
        Document as Document,
        Passage as Passage,
        Hit as Hit,
        Citation as Citation,
        Evidence as Evidence,
        Sentence as Sentence,
        Timings as Timings,
        Answer as Answer,
    )
    from rag.chatbot import Chatbot as Chatbot  # isort: skip

_MODULES = {
    "rag.settings": ("Settings", "read_settings"),
    "rag.errors": ("RagError",),
    "rag.types": ("Document", "Passage", "Hit", "Citation", "Evidence", "Sentence", "Timings", "Answer"),
    "rag.chatbot": ("Chatbot",),
}

__all__ = [name for names in _MODULES.values() for name in names]


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'rag' has no attribute {name!r}")
