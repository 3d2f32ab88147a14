"""Which language a text is written in.

By py3langid: naive Bayes over runs of bytes (Lui and Baldwin 2012).
"""

import math
from collections.abc import Collection

KNOWN = frozenset(
    """ar bg bn ca cs da de el en es et eu fa fi fr ga he hi hr hu hy id is it ja ka kk ko lt lv mk ms nb nl nn no pl pt
    ro ru sk sl sq sr sv ta te th tr uk ur vi zh""".split()  # noqa: SIM905
)
"""ISO 639-1 codes of languages that are told; another one is far rarer than a mistake."""
DEFAULT = "en"
_SAMPLE = 3_000
"""Characters at the beginning of a text, and as many in its middle, that tell its language."""
_SURE = 10.0
"""By so much the log-likelihood of a language exceeds that of English where it is believed: of short texts in English
a name or an abbreviation often looks like another language (docs/results.md)."""
_SAME = {"nb": "no", "nn": "no"}


def language_of(text: str, among: Collection[str] = KNOWN) -> str:
    """The ISO 639-1 code of the language of `text`, one of `among`.

    English if that may well be it.
    """
    from py3langid import rank

    middle = max(_SAMPLE, len(text) // 2)
    likelihood = dict(rank(text[:_SAMPLE] + text[middle : middle + _SAMPLE]))
    code = max(among, key=lambda code: likelihood.get(code, -math.inf))
    return _SAME.get(code, code) if likelihood.get(code, -math.inf) > likelihood[DEFAULT] + _SURE else DEFAULT
