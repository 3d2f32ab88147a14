"""Questions to ask next, made of the names in the documents; no model is asked."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from rag.page.markup import shorten
from rag.server.records import Turn
from rag.types import Document

AT_THE_START = 4
AFTERWARDS = 3
_READ = 20_000
"""Characters of each document that are looked through."""
_DOCUMENTS = 5
_NAME = re.compile(r"[A-Z][\w’'-]+(?: (?:(?:of|the|de|von) )?[A-Z][\w’'-]+){0,3}")
_BEGINS = re.compile(r"(?:^|[.!?:;\n“”\"‘’'(\[–—-]\s{0,2})$")
"""What stands before a word that may have its capital only because it begins a sentence."""
_POSSESSIVE = re.compile(r"[’']s$")
_LONGEST = 80
"""Characters of a name that is asked for."""
_MOST = 100
"""Names that are looked for in what was said already."""
_PLAIN = {"I", "The", "A", "An", "It", "He", "She", "They", "We", "You", "But", "And", "In", "On", "At"}


def first_questions(documents: Mapping[str, Document]) -> list[str]:
    """What one may ask of these documents, before anything was asked."""
    some = list(islice(documents.values(), _DOCUMENTS))
    if not some:
        return []
    about = f"Summarise “{shorten(some[0].title, 60)}”" if len(documents) > 1 else "Summarise it"
    names = _names(document.text[:_READ] for document in some)
    return [about, *(f"What is said about {name}?" for name in names)][:AT_THE_START]


def next_questions(turns: Sequence[Turn]) -> list[str]:
    """What one may ask after an answer: of names in the found passages that nobody spoke of yet."""
    if not turns or turns[-1].answer is None:
        return []
    said = " ".join(f"{turn.question} {turn.text}" for turn in turns).lower()
    names = _names(hit.passage.text[:_READ] for hit in turns[-1].hits or ())
    fresh = (name for name in names if not any(word in said for word in name.lower().removeprefix("the ").split()))
    return [f"What is said about {name}?" for name in islice(fresh, AFTERWARDS)]


def _names(texts: Iterable[str]) -> list[str]:
    """Names of several words before single ones, and the most frequent first; of those that share a word only one."""
    counted: Counter[str] = Counter()
    for text in texts:
        for match in _NAME.finditer(text):
            if not _BEGINS.search(text[max(0, match.start() - 3) : match.start()]):
                the = "the " if text[max(0, match.start() - 4) : match.start()] == "the " else ""
                counted[the + _POSSESSIVE.sub("", match.group())] += 1
    ordered = sorted(counted, key=lambda name: (" " not in name.removeprefix("the "), -counted[name]))
    chosen: list[str] = []
    taken = set(_PLAIN)
    for name in ordered:
        words = set(name.split()) - {"the"}
        if 2 < len(name) <= _LONGEST and not words & taken:
            chosen.append(name)
            taken |= words
    return chosen[:_MOST]
