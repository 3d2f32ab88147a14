"""The thoughts of a reasoning model, which are no part of what it says."""

import re
from collections.abc import Iterator
from itertools import islice

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage

from rag.bounds import ANSWER
from rag.models.chat_model import PLAIN, finish_reason, is_cut

CLOSING = "</think>"
"""What stands in a stream where all before it turns out to be thoughts, if that was not held back."""
_OPENING, _CLOSING = ("<think>", "<thinking>", "[think]"), ("</think>", "</thinking>", "[/think]")
_TAG = re.compile("|".join(map(re.escape, (*_OPENING, *_CLOSING))), re.IGNORECASE)


class Thoughts:
    """Takes the thoughts out of a model's streams; threads may share it.

    Some models begin in the midst of them, since the opening tag belongs to their prompt. So what a model says is held
    back until a closing tag, the end, or its length shows what it was. Once a stream has ended without one, further
    streams are given as they come.
    """

    def __init__(self, model: BaseChatModel) -> None:
        self._holds_back = PLAIN not in (model.tags or [])
        self._begins_inside = False

    def without(self, pieces: Iterator[BaseMessage]) -> Iterator[BaseMessage]:
        """The pieces of what is said, and those that tell why the stream ended."""
        holds_back = self._holds_back
        held: list[BaseMessage] = []
        text = _Text()
        length, reason = 0, None
        for piece in islice(pieces, ANSWER):
            reason = finish_reason(piece) or reason
            said = text.read(str(piece.text)[:ANSWER])
            if text.was_thought:
                self._holds_back = self._begins_inside = True
                said, held = said if holds_back else CLOSING + said, []
            length += len(said)
            holds_back = holds_back and not text.has_tags and length < ANSWER
            if said or not piece.text or finish_reason(piece):
                held.append(piece if said == piece.text else _like(piece, said))
            if not holds_back:
                yield from held
                held = []
        if is_cut(reason) and holds_back and self._begins_inside:  # It did not come to an end with its thoughts.
            yield from (_like(piece, "") for piece in held if finish_reason(piece))
            return
        if not is_cut(reason):
            self._holds_back = self._begins_inside
        yield from held
        if rest := text.rest():
            yield AIMessageChunk(content=rest)


class _Text:
    """What is said, read piece by piece."""

    def __init__(self) -> None:
        self.has_tags = self.was_thought = False
        self._inside = False
        self._begun = ""

    def read(self, piece: str) -> str:
        """What is said in this piece. If `was_thought`, nothing before it was said."""
        text, self._begun, self.was_thought = self._begun + piece, "", False
        said = ""
        at = 0
        for tag in _TAG.finditer(text):
            said += "" if self._inside else text[at : tag.start()]
            closes = tag[0].lower() in _CLOSING
            if closes and not self._inside:
                said, self.was_thought = "", True
            self._inside, self.has_tags, at = not closes, True, tag.end()
        self._begun = _begun_tag(text[at:])
        return said if self._inside else said + text[at : len(text) - len(self._begun)]

    def rest(self) -> str:
        """What looked like a tag to the end."""
        return "" if self._inside else self._begun


def _begun_tag(text: str) -> str:
    """The end of `text`, if a tag begins with it."""
    ends = (text[-length:] for length in range(min(len(text), max(map(len, _CLOSING)) - 1), 0, -1))
    return next((end for end in ends if any(tag.startswith(end.lower()) for tag in (*_OPENING, *_CLOSING))), "")


def _like(piece: BaseMessage, text: str) -> BaseMessage:
    """A piece with another text, of which no log-probabilities are known."""
    told = {key: value for key, value in piece.response_metadata.items() if key != "logprobs"}
    return AIMessageChunk(content=text, response_metadata=told)
