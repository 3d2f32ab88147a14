"""Follow-up + history -> a question that stands alone, where that is needed."""

import re
from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser

from rag.cite import unfounded
from rag.evidence import content_words
from rag.prompts import CONDENSE

TURNS = 3
"""Earlier turns that the model is shown."""
_ANSWER_LETTERS = 400
_LONGEST = 300
_POINTS_BACK = re.compile(
    r"\b(he|him|his|she|her|hers|it|its|they|them|their|theirs|this|that|these|those|one|ones|former|latter|same|"
    r"other|others|else|more)\b|^\W*(and|but|so|or|then|also|what about|how about)\b",
    re.IGNORECASE,
)
_SHORT = 3
"""Words; a question as short as "Why do they?" or "Since when?" leans on the one before."""


def needs_rewriting(question: str, history: Sequence[tuple[str, str]]) -> bool:
    """Whether the question points back at the conversation, by its words alone."""
    return bool(history) and (bool(_POINTS_BACK.search(question)) or len(question.split()) <= _SHORT)


def condense(question: str, history: Sequence[tuple[str, str]], model: BaseChatModel, text: str) -> str:
    """The question rewritten by the model so that it stands alone, or as it is where it does already.

    `text` is the text that the model has read, the same as for the answer. A rewriting
    that is too long, or that names what the conversation does not, is not used: the
    question before is put in front instead.
    """
    if not needs_rewriting(question, history):
        return question
    recent = history[-TURNS:]
    conversation = "\n".join(f"Question: {asked}\nAnswer: {said[:_ANSWER_LETTERS]}" for asked, said in recent)
    chain = CONDENSE | model | StrOutputParser()
    written = chain.invoke({"text": text, "conversation": conversation, "question": question})
    rewritten = next((line.strip() for line in written.splitlines() if line.strip()), "")
    rewritten = re.sub(r"^(rewritten |last )?question:\s*", "", rewritten, flags=re.IGNORECASE).strip('"“” ')
    ground = f"{conversation} {question}"
    sound = rewritten and len(rewritten) <= _LONGEST and not unfounded(rewritten, ground)
    if sound and content_words(rewritten) & content_words(ground):
        return rewritten
    return f"{recent[-1][0]} {question}"
