"""What a parser gives, or why it gives nothing."""

import re
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
