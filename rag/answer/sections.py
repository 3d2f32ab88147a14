"""The sections of documents, by lines that look like headings, and the one asked about."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np

from rag.answer.evidence import content_words
from rag.types import Passage

COUNTED = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty""".split()  # noqa: SIM905
"""The number words from one on."""
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()  # noqa: SIM905
_ROMAN = "i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx".split()  # noqa: SIM905
_PART = r"(chapter|part|section|appendix|unit|lesson)"
_NUMBER = rf"(\d{{1,3}}(?:\.\d{{1,3}}){{0,3}}|[ivx]{{1,5}}|{'|'.join(COUNTED)})"
_NUMBERED = re.compile(rf"(?:{_PART} {{1,3}})?{_NUMBER}(?!\w)([.):]?)", re.IGNORECASE)
_NAMED = re.compile(
    rf"\b{_PART} {{1,3}}{_NUMBER}(?!\w)|\b({'|'.join(_ORDINALS)}|last|final) {{1,3}}{_PART}\b", re.IGNORECASE
)
_PARTS = frozenset("chapter part section appendix unit lesson paragraph".split())  # noqa: SIM905
_NO_HEADING = ("- ", "* ", "+ ", "•", ">", "|")
_ENDS = (".", "!", "?", ":", ";", ",", "…", "。", "！", "？")
_CLOSERS = "\"'”’»)]*_ "
_GAP = 100
"""Characters between two passages from which on something was left out."""
_LONGEST_HEADING = 12
"""Words."""
_MARKDOWN, _CHAPTER, _PLAIN = 6, 7, 20
"""Depths: Markdown has 1 to 6, "Chapter 3" 7, "3.1 Title" 7 and one for each number; another short line has 20."""


@dataclass(frozen=True)
class Section:
    """A section of a document, up to the next heading that is no deeper.

    A document's beginning has the depth 0 and no heading, and holds all of it. `number` is that of the
    heading, as "3.1", if it has one.
    """

    doc_id: str
    heading: str
    depth: int
    number: str
    start: int
    end: int

    def holds(self, doc_id: str, place: int) -> bool:
        """Whether this place of the document is in the section."""
        return doc_id == self.doc_id and self.start <= place < self.end


def outline(passages: Sequence[Passage]) -> list[Section]:
    """The sections of documents, by the headings in their passages, which are in order.

    Where passages are left out, what follows is taken for a section without a heading.
    """
    found: list[Section] = []
    for before, passage in pairwise([None, *passages]):
        assert passage
        new = before is None or before.doc_id != passage.doc_id
        if new or (before and passage.start - before.end > _GAP):
            found.append(Section(passage.doc_id, "", 0 if new else 1, "", passage.start, passage.end))
        found += _headings(passage, None if new else before)
    last = {passage.doc_id: passage.end for passage in passages}
    ends: dict[int, int] = {}
    for place in range(len(found) - 1, -1, -1):
        one = found[place]
        end = min((start for depth, start in ends.items() if depth <= one.depth), default=last[one.doc_id])
        found[place] = replace(one, end=end)
        ends = {**ends, one.depth: one.start} if one.depth else {}
    return found


def is_heading(line: str) -> bool:
    """Whether a line looks like a heading: short, without a full stop, in no list."""
    return _depth(line.strip())[0] > 0


def part_of(question: str, sections: Sequence[Section], topic: frozenset[str]) -> Section | None:
    """The section that the question names, by its number ("chapter 3") or its heading.

    Of a heading half of the words must be in the `topic`, and all if neither the question says that it asks
    for a part nor the heading has all of the topic. A document's title names no part.
    """
    if named := _NAMED.search(question):
        return _numbered(named, sections)
    begins = {one.doc_id: one.start for one in sections if not one.depth and not one.heading}
    asks = bool(content_words(question) & _PARTS)
    best, found = (0, 0.0, 0), None
    for section in sections:
        words = content_words(section.heading) - _PARTS - {section.number}
        shared = len(words & topic)
        share = shared / max(1, len(words))
        title = section.depth == _PLAIN and section.start == begins.get(section.doc_id)
        enough = share == 1.0 or (share >= 0.5 and (asks or shared == len(topic)))
        if shared and enough and not title and (shared, share, -section.depth) > best:
            best, found = (shared, share, -section.depth), section
    return found


def stretches(places: Sequence[tuple[str, int]], starts: Mapping[str, Sequence[int]], count: int) -> list[list[int]]:
    """The indices of `places` in at most `count` stretches along the sections.

    A place is an offset in a document, and they are in order. Sections that are long are divided further,
    evenly: the stretches are dealt out by Sainte-Laguë's method. Where there are more sections than
    stretches, neighbours are put together.
    """
    groups = by_section(places, starts)
    if len(groups) > count:
        ends = np.cumsum([len(group) for group in groups])
        middles = [int(count * (end - len(group) / 2) / len(places)) for group, end in zip(groups, ends, strict=True)]
        runs = groupby(range(len(groups)), key=lambda i: middles[i])
        return [[one for i in run for one in groups[i]] for _, run in runs]
    shares = [1] * len(groups)
    for _ in range(min(count, len(places)) - len(groups)):
        most = max(range(len(groups)), key=lambda i: (shares[i] < len(groups[i]), len(groups[i]) / (2 * shares[i] + 1)))
        shares[most] += 1
    return [
        group[i * len(group) // share : (i + 1) * len(group) // share]
        for group, share in zip(groups, shares, strict=True)
        for i in range(share)
    ]


def dividing(places: Sequence[tuple[str, int]], sections: Sequence[Section], count: int) -> dict[str, list[int]]:
    """Where the sections begin that divide `places`, by document.

    Those of the deepest headings that make no more than `count`, or else of the highest that make several.
    """
    found: dict[str, list[int]] = {}
    for depth in sorted({0, *(one.depth for one in sections)}, reverse=True):
        starts: dict[str, list[int]] = {doc_id: [] for doc_id, _ in places}
        for one in sections:
            if one.depth <= depth and one.doc_id in starts:
                starts[one.doc_id].append(one.start)
        groups = len(by_section(places, starts))
        if groups > 1 or not found:
            found = starts
        if groups <= count:
            break
    return found


def by_section(places: Sequence[tuple[str, int]], starts: Mapping[str, Sequence[int]]) -> list[list[int]]:
    """The indices of `places` by section."""
    labels = [(doc_id, bisect_right(starts[doc_id], place)) for doc_id, place in places]
    return [list(run) for _, run in groupby(range(len(places)), key=lambda i: labels[i])]


def _numbered(named: re.Match[str], sections: Sequence[Section]) -> Section | None:
    """The section of this number or, without numbers, of this place among its likes."""
    if named[2]:
        number = _digits(named[2])
        with_number = [one for one in sections if one.number == number]
        if with_number:
            return min(with_number, key=lambda one: (one.heading.lower().split()[:1] != [named[1].lower()], one.depth))
        place: int | None = int(number) - 1 if number.isdigit() else -1
    else:
        place = _ORDINALS.index(named[3].lower()) if named[3].lower() in _ORDINALS else None
    depths = [one.depth for one in sections if one.heading]
    several = [depth for depth in sorted(set(depths)) if depths.count(depth) > 1]
    ordered = [one for one in sections if several and one.heading and one.depth == several[0] < _PLAIN]
    if place is None:
        return ordered[-1] if ordered else None
    return ordered[place] if 0 <= place < len(ordered) and not any(one.number for one in ordered) else None


def _headings(passage: Passage, before: Passage | None) -> Iterator[Section]:
    """The sections that begin in a passage; the first number may end the one before."""
    number = before.text[before.text.rfind("\n") + 1 :] if before and passage.start == before.end + 1 else ""
    number = f"{number} " if _NUMBERED.fullmatch(number) else ""
    place = passage.start - len(number)
    for line in (number + passage.text).splitlines(keepends=True):
        depth, own = _depth(line.strip())
        if depth:
            yield Section(passage.doc_id, line.strip().lstrip("# "), depth, own, place, passage.end)
        place += len(line)


def _depth(line: str) -> tuple[int, str]:
    """How deep the heading in a line lies, 0 if none, and its number."""
    text = line.lstrip("#")
    marks = len(line) - len(text)
    text = text.strip(" \t*_“\"'‘")
    words = text.split(maxsplit=_LONGEST_HEADING)
    numbered = _NUMBERED.match(text)
    if numbered and not (numbered[1] or numbered[2][0].isdigit() or (numbered[3] and _digits(numbered[2]).isdigit())):
        numbered = None
    number = _digits(numbered[2]) if numbered else ""
    if 0 < marks <= _MARKDOWN and words and line[marks].isspace():
        return marks, number
    if not words or len(words) > _LONGEST_HEADING or line.startswith(_NO_HEADING):
        return 0, ""
    rest = text[numbered.end() :].strip(" .:)–—-") if numbered else text
    ended = bool(rest) and text.rstrip(_CLOSERS).endswith(_ENDS)
    if numbered and numbered[1] and not text.endswith(_ENDS[:1] if rest else ()):
        return _CHAPTER, number
    if ended or not rest or not (rest[0].isupper() or (rest[0].isdigit() and not numbered)):
        return 0, ""
    return (_CHAPTER + 1 + number.count("."), number) if numbered else (_PLAIN, "")


def _digits(number: str) -> str:
    """A number as digits: "three" and "III" are "3"."""
    low = number.lower()
    return next((str(names.index(low) + 1) for names in (COUNTED, _ROMAN) if low in names), low)
