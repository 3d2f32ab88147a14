"""The headings of a Markdown text, and which of them a place in it stands under."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_LINE = re.compile(r"[^\n\r]+")


HEADING = 120
"""Characters of a heading that are told; the longest ones are paragraphs by mistake."""


@dataclass(frozen=True)
class Heading:
    """A heading at `start`: its level (1 to 6), and its words without marks."""

    start: int
    level: int
    text: str


def heading(line: str) -> Heading | None:
    """The heading that a line is, if it is one: "## Pond ##", but not "# C#" without its sign."""
    if not (match := _HEADING.match(line)):
        return None
    text = match[2].strip()
    opened = text.rstrip("#")
    text = opened.rstrip() if opened != opened.rstrip() or not opened else text
    return Heading(0, len(match[1]), text) if text else None


def path(lines: Sequence[str]) -> str:
    """Headings as one line: "Falcon 200 > Warranty"."""
    return " > ".join(line.lstrip("#").strip() for line in lines)


def headings(text: str) -> Iterator[Heading]:
    """The ATX headings of `text`, as CommonMark has them; a "#" in fenced code is none."""
    fence = ""
    for line in _LINE.finditer(text):
        if mark := _FENCE.match(line[0]):
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence):
                fence = ""
        elif not fence and (found := heading(line[0])):
            yield Heading(line.start(), found.level, found.text)


def marked(found: Iterable[Heading], title: str = "") -> tuple[str, ...]:
    """Headings as Markdown lines, without one that only repeats the title of the document."""
    return tuple(f"{'#' * one.level} {one.text[:HEADING]}" for one in found if one.text != title)


def above(open_ones: Sequence[str], line: str) -> tuple[str, ...]:
    """Those of the marked headings that stay open where the heading `line` begins."""
    level = len(line) - len(line.lstrip("#"))
    return tuple(one for one in open_ones if len(one) - len(one.lstrip("#")) < level)


def paths(found: Sequence[Heading], starts: Iterable[int]) -> Iterator[tuple[Heading, ...]]:
    """For each place, in order, the headings that it stands under; not one that begins there."""
    open_ones: list[Heading] = []
    at = 0
    for start in starts:
        while at < len(found) and found[at].start < start:
            while open_ones and open_ones[-1].level >= found[at].level:
                open_ones.pop()
            open_ones.append(found[at])
            at += 1
        following = found[at] if at < len(found) and found[at].start == start else None
        yield tuple(one for one in open_ones if not following or one.level < following.level)
