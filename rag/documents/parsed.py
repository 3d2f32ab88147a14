"""What a parser gives, or why it gives nothing."""

import re
from collections import Counter
from dataclasses import dataclass

_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*)$", re.MULTILINE)


class FormatError(Exception):
    """A file cannot be read; the message follows its name: "is empty; leave it out"."""


@dataclass(frozen=True)
class Parsed:
    """A document's title, if it names one, its text, and the offsets of its pages.

    `left_out` tells what it holds that is not in the text, by kind and number: "2 pictures".
    """

    title: str | None
    text: str
    pages: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()


def counted(left_out: Counter[str]) -> tuple[str, ...]:
    """What is left out, in words: "1 picture", "2 chapters that the file lacks"."""
    return tuple(f"{number:,} {_plural(kind) if number > 1 else kind}" for kind, number in left_out.items() if number)


def _plural(kind: str) -> str:
    noun, space, rest = kind.partition(" that ")
    noun, of, more = noun.partition(" of ")
    return f"{noun}s{of}{more}{space}{rest}"


def first_heading(text: str) -> str | None:
    """The first Markdown heading of `text` without its marks, None without one."""
    for match in _HEADING.finditer(text):
        heading = match[1].strip()
        opened = heading.rstrip("#")
        if opened != opened.rstrip() or not opened:  # "## Pond ##", but not "# C#"
            heading = opened.rstrip()
        if heading:
            return heading
    return None
