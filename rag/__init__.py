"""Ask documents, and get answers with the exact sentences they rest on. The public names, in the order of the way."""

from rag.settings import Settings, read_settings  # isort: skip
from rag.errors import RagError  # isort: skip
from rag.types import Document, Chunk, Hit, Citation, Sentence, Timings, Answer  # isort: skip
from rag.chat import Chatbot, index_exists  # isort: skip

__all__ = [
    "Settings",
    "read_settings",
    "RagError",
    "Document",
    "Chunk",
    "Hit",
    "Citation",
    "Sentence",
    "Timings",
    "Answer",
    "Chatbot",
    "index_exists",
]
