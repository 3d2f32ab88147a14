"""Scores of one question, all pure functions that one can work out by hand."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

from eval.dataset import Evidence, Place, Question
from rag.index.tokenizer import tokenize

F1_ENOUGH = 0.6
LONG = 20
"""Words; if every reference is longer, no answer of one or two sentences contains it or comes near in F1."""
GIST_ENOUGH = 0.5
"""The share of words in common that tells the evidence of CLAP NQ from the sentences beside it (docs/results.md)."""
GIST_WORDS = 3
"""Different words that an answer needs to have a gist: "Yes." is in every reference that begins so."""

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–−", "-"),
        **dict.fromkeys("—―", " - "),
    }
)


# Answers


def fold(text: str) -> str:
    """`text` in lower case, with plain quotation marks, apostrophes and hyphens, and single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text.translate(_FOLDED)).lower().split())


_BRITISH = re.compile(r"\b(\w*(?:met|lit|cent|theat))re(s?)\b")
_POSSESSIVE = re.compile(r"(?<=\w)'s\b")
_JOINING = re.compile(r"[-/]")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_YES_NO = re.compile(r"\W*(yes|no)\b")
_NEGATION = re.compile(r"\b(?:not|no|never|none|nothing|nobody|neither|nor|cannot)\b|n't\b")


def normalise(text: str) -> str:
    """`text` folded, without punctuation and English articles, as SQuAD's evaluation does it, and metres as meters.

    Unlike there a decimal point stays, and no currency's sign does.
    """
    folded = fold(text)
    points = {found.start() for found in _POINT.finditer(folded)}
    signs = {
        char for char in folded if char in string.punctuation or unicodedata.category(char).startswith(("P", "Sc"))
    }
    kept = "".join(char for at, char in enumerate(folded) if at in points or char not in signs)
    return " ".join(word for word in _BRITISH.sub(r"\1er\2", kept).split() if word not in {"a", "an", "the"})


def token_f1(text: str, references: Sequence[str]) -> float:
    """The best harmonic mean (0..1) of token precision and recall over `references` (Rajpurkar et al. 2016)."""
    return max((_f1(normalise(text).split(), normalise(reference).split()) for reference in references), default=0.0)


def _f1(said: list[str], wanted: list[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted))


def correct(question: Question, text: str, abstained: bool) -> bool:
    """Whether the answer is right.

    To an unanswerable question that is abstaining. Otherwise: not abstaining; for a
    yes-or-no question, beginning with the right word, and never with the opposite one;
    else one alternative of every `must` group; without `must`, a reference answer
    contained in the text, or one that it comes near, unless it begins with Yes and
    they with No, or the other way round.
    """
    if abstained or not question.answerable:
        return abstained and not question.answerable
    first = _yes_no(text)
    if question.polarity and first:
        return first == question.polarity
    if question.must:
        return all(any(says(text, alternative) for alternative in group) for group in question.must)
    if opposed(text, question.answers):
        return False
    return contains(text, question.answers) or any(near(text, reference) for reference in question.answers)


def opposed(text: str, references: Sequence[str]) -> bool:
    """Whether the text begins with Yes and every reference with No, or the other way round."""
    sides = {_yes_no(reference) for reference in references}
    return (_yes_no(text), sides) in (("yes", {"no"}), ("no", {"yes"}))


def _yes_no(text: str) -> str | None:
    found = _YES_NO.match(fold(text))
    return found[1] if found else None


def near(text: str, reference: str) -> bool:
    """Whether the text is nearly the reference.

    The token F1 is at least F1_ENOUGH, every number of the reference is there, and both
    deny or neither. One other year or one "not" among ten words leaves an F1 of 0.9.
    """
    said, wanted = (normalise(one).split() for one in (text, reference))
    numbers = {word for word in wanted if any(char.isdigit() for char in word)}
    denials = {bool(_NEGATION.search(fold(one))) for one in (text, reference)}
    return _f1(said, wanted) >= F1_ENOUGH and numbers <= set(said) and len(denials) == 1


def says(text: str, alternative: str) -> bool:
    """Whether `alternative` occurs in `text` at the start of a word ("dismiss" in "dismisses").

    "yes", "no" and an alternative that ends in a space ("US ") need whole words, and a
    number at either end needs the whole number ("5" is neither in "50" nor in "1.5").
    """
    wanted = fold(alternative)
    whole = wanted in {"yes", "no"} or alternative != alternative.rstrip()
    before = r"(?<!\w)(?<!\d[.,])" if wanted[:1].isdigit() else r"(?<!\w)" if wanted[:1].isalnum() else ""
    after = r"(?!\w)" if whole else r"(?!\d|[.,]\d)" if wanted[-1:].isdigit() else ""
    return re.search(before + re.escape(wanted) + after, fold(text)) is not None


def contains(text: str, references: Sequence[str]) -> bool:
    """Whether the words of a reference, normalised, follow each other in `text`, perhaps as a possessive.

    Words with a hyphen or a slash between them count as one, and as two.
    """
    folded = fold(text)
    for joined in ("-", " "):
        said = [f" {normalise(_JOINING.sub(joined, one))} " for one in (folded, _POSSESSIVE.sub("", folded))]
        wanted = [normalise(_JOINING.sub(joined, fold(one))) for one in references]
        if any(words and f" {words} " in one for words in wanted for one in said):
            return True
    return False


def is_long(question: Question) -> bool:
    """Whether the references are so long that `correct` asks too much: each has more than LONG words."""
    return bool(question.answers) and not question.must and all(len(one.split()) > LONG for one in question.answers)


def gist(text: str, references: Sequence[str]) -> bool:
    """Whether the answer and a long reference say much the same: the lenient measure beside `correct`.

    Of the different word stems of the shorter text, the longer one has at least the share
    GIST_ENOUGH (the overlap coefficient of Szymkiewicz and Simpson). It rewards an answer for being
    on the reference's matter, and it sees neither a "not" nor what is left out.
    """
    said = frozenset(tokenize(fold(text)))
    return len(said) >= GIST_WORDS and any(
        len(said & wanted) >= GIST_ENOUGH * min(len(said), len(wanted))
        for wanted in (frozenset(tokenize(fold(reference))) for reference in references)
        if wanted
    )


def rouge_l(text: str, references: Sequence[str]) -> float:
    """The best ROUGE-L over `references` (Lin 2004), which CLAP NQ reports (Rosenthal et al. 2024).

    It is the harmonic mean (0..1) of the shares of the words of answer and reference, as
    `normalise` leaves them, that are in the longest sequence common to both.
    """
    said = normalise(text).split()
    return max((_rouge_l(said, normalise(reference).split()) for reference in references), default=0.0)


def _rouge_l(said: list[str], wanted: list[str]) -> float:
    if not said or not wanted:
        return float(said == wanted)
    longest = [0] * (len(wanted) + 1)
    for word in said:
        diagonal = 0
        for place, other in enumerate(wanted, 1):
            above = longest[place]
            longest[place] = diagonal + 1 if word == other else max(above, longest[place - 1])
            diagonal = above
    return 2 * longest[-1] / (len(said) + len(wanted))


# Passages and citations


def covered(places: Sequence[Place], evidence: Sequence[Evidence]) -> list[bool]:
    """For every evidence span, whether some place overlaps it: the share of True is the recall."""
    return [any(place.overlaps(other) for place in places for other in span) for span in evidence]


def relevant(places: Sequence[Place], evidence: Sequence[Evidence]) -> list[bool]:
    """For every place, whether it overlaps some evidence span: the share of True is the precision."""
    return [any(place.overlaps(other) for span in evidence for other in span) for place in places]


def reciprocal_rank(hits: Sequence[Place], evidence: Sequence[Evidence]) -> float:
    """One over the rank (from 1) of the first hit that overlaps an evidence span, 0 if none does."""
    found = relevant(hits, evidence)
    return 1 / (found.index(True) + 1) if True in found else 0.0
