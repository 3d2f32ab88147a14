"""A question to begin with, written by the model for a sentence that answers it."""

from langchain_core.language_models import BaseChatModel

from rag.answer.context import Context
from rag.answer.evidence import content_words
from rag.answer.prompts import SUGGESTION
from rag.answer.question import SAYS_NOTHING
from rag.models.chat_model import explained
from rag.settings import Settings
from rag.types import Citation

_LONGEST = 100
"""Characters of a question."""
_TOKENS = 40
_FULL = 2
"""Words that carry meaning, at least."""
_SURE = 1.0
"""Log-odds, at least, that the sentence answers."""


def write_question(settings: Settings, model: BaseChatModel, quoted: Citation) -> str:
    """One line of the model's, which need not be a good question. Raises ModelError."""
    with explained(settings):
        told = (SUGGESTION | model.bind(max_tokens=_TOKENS)).with_config(run_name="suggest")
        return " ".join(told.invoke({"title": quoted.title, "sentence": quoted.quote}).text.split())


def is_good(question: str, quoted: Citation, context: Context) -> bool:
    """Whether it asks in the document's words, and what was quoted is found for it.

    `context` is what is found for it.
    """
    best = context.ranked[0] if context.ranked else None
    if best is None or best.score < _SURE or not question.endswith("?") or len(question) > _LONGEST:
        return False
    passage, words = best.sentence.passage, content_words(question) - content_words(" ".join(SAYS_NOTHING))
    leads_back = passage.doc_id == quoted.doc_id and quoted.start <= best.sentence.span.start < quoted.end
    return leads_back and len(words) >= _FULL and words <= content_words(f"{passage.title} {passage.text}")
