"""What is known while a text of a Word document is read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from rag.documents.docx.numbering import written
from rag.documents.docx.ooxml import W
from rag.documents.docx.styles import Styles


@dataclass
class Field:
    """A field that has begun; `shown` tells whether what comes now is seen."""

    data: Element | None
    enclosed: bool
    instruction: str = ""
    shown: bool = False
    wrote: bool = False

    @property
    def name(self) -> str:
        """Its kind: MERGEFIELD, REF, PAGE."""
        return (self.instruction.split(maxsplit=1) or [""])[0].upper()


@dataclass(frozen=True)
class Notes:
    """The labels of the notes that are referred to, by kind and id."""

    forms: Mapping[str, tuple[str, int]]
    """For footnotes and endnotes, the format of their numbers and the first."""
    labels: dict[tuple[str, str], str] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def label(self, key: tuple[str, str], mark: str = "") -> str:
        """The mark of a note, or its number, given at the first reference."""
        if key not in self.labels:
            form, first = self.forms[key[0]]
            self.labels[key] = mark or written(first + self.counts[key[0]], form)
            self.counts[key[0]] += not mark
            self.order.append(key)
        return self.labels[key]


@dataclass(frozen=True)
class Story:
    """A body, a header or a note while it is read."""

    styles: Styles
    notes: Notes
    left_out: Counter[str]
    complete: frozenset[int]
    """The `id` of the marks of fields that begin and end."""
    fields: list[Field] = field(default_factory=list)
    running: bool = False
    """Whether it is a header or a footer."""
    white_is_seen: bool = False
    """Whether the ground is coloured, or may be."""


def complete_fields(root: Element) -> frozenset[int]:
    """The marks where fields begin that also end, and where those end."""
    begun: list[int] = []
    complete: set[int] = set()
    for mark in root.iter(f"{W}fldChar"):
        kind = mark.get(f"{W}fldCharType")
        if kind == "begin":
            begun.append(id(mark))
        elif kind == "end" and begun:
            complete |= {begun.pop(), id(mark)}
    return frozenset(complete)
