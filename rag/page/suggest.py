"""Questions to ask, written by the idle model for sentences of the documents."""

import threading
import time
from collections.abc import Sequence

from rag.chatbot import Chatbot
from rag.errors import RagError
from rag.page.markup import place, shorten
from rag.server.records import Turn
from rag.types import Citation, Documents

AT_THE_START = 4
AFTERWARDS = 3
KEY = 3
"""Sentences that the first page quotes."""
_TRIED = 10
"""Sentences for which a question is written; not each becomes a good one."""
_IDLE = 2.0
"""Seconds until the next try where the model was not idle."""
Suggested = tuple[tuple[str, Citation], ...]


class Suggestions:
    """Questions about the documents as they were last published. Threads share it."""

    def __init__(self, bot: Chatbot) -> None:
        self._bot = bot
        self._beginning = threading.Lock()
        self._documents: Documents | None = None
        self._suggested: Suggested = ()
        self._ready = threading.Event()
        self.key_sentences: tuple[Citation, ...] = ()

    def renew(self) -> None:
        """Have the key sentences, and begin to write questions, if the documents are new.

        Raises StoreError if the index is damaged.
        """
        with self._beginning:
            documents = self._bot.documents
            if self._documents is documents:
                return
            self._documents, self._ready = documents, threading.Event()
            known = {citation.quote: question for question, citation in self._suggested}
            self._suggested, self.key_sentences = (), ()
            self.key_sentences = self._bot.key_sentences(count=KEY)
            what = self._bot.key_sentences(count=_TRIED), known, self._ready
            threading.Thread(target=self._write, args=what, name="suggestions", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Whether they are written, at most so many seconds later."""
        return self._ready.wait(seconds)

    def first(self) -> list[str]:
        """What one may ask before anything was asked."""
        documents = self._documents
        if not documents:
            return []
        first = next(iter(documents.values()))
        about = f"Summarise “{shorten(first.title, 60)}”" if len(documents) > 1 else "Summarise it"
        return [about, *(question for question, _ in self._suggested)][:AT_THE_START]

    def next(self, turns: Sequence[Turn]) -> list[str]:
        """What one may ask after an answer, and neither asked nor had cited.

        Of the documents that were found, first.
        """
        if not turns or turns[-1].answer is None:
            return []
        asked = {turn.question for turn in turns}
        cited = {place(one) for turn in turns if turn.answer for one in (*turn.answer.citations, *turn.answer.near)}
        found = {hit.passage.doc_id for hit in turns[-1].hits or ()}
        fresh = [(text, one) for text, one in self._suggested if text not in asked and place(one) not in cited]
        return [text for text, one in sorted(fresh, key=lambda pair: pair[1].doc_id not in found)][:AFTERWARDS]

    def _write(self, found: Sequence[Citation], known: dict[str, str], ready: threading.Event) -> None:
        try:
            for quoted in found:
                if self._ready is not ready:  # Something else was published.
                    return
                question = known.get(quoted.quote)
                while question is None and (question := self._bot.question_for(quoted)) is None:
                    time.sleep(_IDLE)
                if question and question not in {text for text, _ in self._suggested}:
                    self._suggested = (*self._suggested, (question, quoted))
        except RagError:  # It is told when a question is asked.
            return
        finally:
            ready.set()
