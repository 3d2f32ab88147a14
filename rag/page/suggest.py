"""Questions to ask next, made of the names in the documents; no model is asked. If in doubt, fewer."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from rag.page.markup import shorten
from rag.server.records import Turn
from rag.types import Document

AT_THE_START = 4
AFTERWARDS = 3
_READ = 20_000
"""Characters of each document that are looked through."""
_DOCUMENTS = 5
_WORD = r"[A-Z][\w’'-]+"
_RUN = re.compile(rf"(?<![\w’'-]){_WORD}(?: (?:(?:of|of the|de|von) )?{_WORD})*")
"""Capitalised words in a row: one name, or several that run together."""
_BEGINS = re.compile(r"(?:^|[.!?:;\n“”\"‘’'(\[–—|*#`_-]\s{0,2})$")
"""What stands before a word that may have its capital only because it begins a sentence."""
_POSSESSIVE = re.compile(r"[’']s$")
_AFTER_NOUN = re.compile(
    r"\s{0,2}(?:[.,;:!?)\]”\"]|$)"
    r"| (?:is|was|are|were|has|had|have|will|would|can|could|may|might|must|should|did|does|said|says|told"
    r"|to|in|on|at|for|with|that|as|by|of|from|who|which|when|while|after|before|about|into|than|but)\b"
)
"""What follows a name that stands for itself, and hardly an adjective."""
_LONGEST, _WORDS = 80, 4
"""Characters and capitalised words of a name that is asked for."""
_MOST = 100
"""Names that are looked for in what was said already."""
_NO_NAMES = {
    "I", "The", "A", "An", "It", "He", "She", "They", "We", "You", "But", "And", "In", "On", "At", "This", "That",
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "January", "February", "March",
    "April", "May", "June", "July", "August", "September", "October", "November", "December",
}  # fmt: skip


def first_questions(documents: Mapping[str, Document]) -> list[str]:
    """What one may ask of these documents, before anything was asked."""
    some = list(islice(documents.values(), _DOCUMENTS))
    if not some:
        return []
    about = f"Summarise “{shorten(some[0].title, 60)}”" if len(documents) > 1 else "Summarise it"
    names = names_in((document.text[:_READ] for document in some), {one.title for one in some if one.titled})
    return [about, *(f"What is said about {name}?" for name in names)][:AT_THE_START]


def next_questions(turns: Sequence[Turn]) -> list[str]:
    """What one may ask after an answer: of names in the found passages that nobody spoke of yet."""
    if not turns or turns[-1].answer is None:
        return []
    said = " ".join(f"{turn.question} {turn.text}" for turn in turns).lower()
    names = names_in(hit.passage.text[:_READ] for hit in turns[-1].hits or ())
    fresh = (name for name in names if not any(word in said for word in name.lower().removeprefix("the ").split()))
    return [f"What is said about {name}?" for name in islice(fresh, AFTERWARDS)]


def names_in(texts: Iterable[str], titles: Collection[str] = ()) -> list[str]:
    """Names that occur by themselves twice, or once if they are titles; those of several words first, then by number.

    Of names that share a word only one is given. Only what stands within a sentence is counted, and most of it must
    stand as a noun: "in Lapland." does, "Western allies" does not.
    """
    counted: Counter[str] = Counter()
    nouns: Counter[str] = Counter()
    for text in texts:
        if " the " not in text:  # The questions are in English: what has capitals elsewhere need not be a name.
            continue
        for match in _RUN.finditer(text):
            start, end = match.span()
            if _BEGINS.search(text[max(0, start - 3) : start]):
                continue
            plain = _POSSESSIVE.sub("", match.group())
            name = f"the {plain}" if text[max(0, start - 4) : start] == "the " else plain
            counted[name] += 1
            nouns[name] += plain != match.group() or bool(_AFTER_NOUN.match(text[end : end + 10]))

    def is_sure(name: str) -> bool:
        enough = 1 if name.removeprefix("the ") in titles else 2
        return nouns[name] >= max(enough, counted[name] / 2)

    chosen: list[str] = []
    taken: set[str] = set()
    sure = [name for name in counted if is_sure(name)]
    for name in sorted(sure, key=lambda name: (" " not in name.removeprefix("the "), -counted[name])):
        words = [word for word in name.split() if word[0].isupper()]
        fits = 2 < len(name) <= _LONGEST and len(words) <= _WORDS and not (len(words) > 1 and name.isupper())
        if fits and not taken.intersection(words) and not _NO_NAMES.intersection(words):
            chosen.append(name)
            taken.update(words)
    return chosen[:_MOST]
