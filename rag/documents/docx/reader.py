"""DOCX -> Markdown text: body, headers and footers, notes, text boxes, charts."""

import email
import io
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, cast
from xml.etree.ElementTree import Element

from rag.documents.archive import Archive, opened, parsed_xml
from rag.documents.docx.blocks import Reading, read_blocks
from rag.documents.docx.graphics import chart_rows, paragraphs
from rag.documents.docx.markdown import Block, markdown_of
from rag.documents.docx.numbering import Numbering
from rag.documents.docx.ooxml import DIAGRAM, A, R, V, W, child, is_on, transitional, value, whole
from rag.documents.docx.story import Notes, Story, complete_fields
from rag.documents.docx.styles import Styles
from rag.documents.encoding import decode
from rag.documents.html.reader import markdown, soup, tidy
from rag.documents.parsed import FormatError, Parsed, counted, first_heading, own_title

_LETTER = re.compile(r"[^\W\d_]")
_TITLE = "{http://purl.org/dc/elements/1.1/}title"


@dataclass(frozen=True)
class _Part:
    """A part of the package; for each id of another one, its kind and name."""

    root: Element
    targets: Mapping[str, tuple[str, str]]


def read_docx(file: IO[bytes], _: str | None) -> Parsed:
    """The text as it is printed, with the notes at its end. Raises FormatError."""
    with opened(file) as archive:
        return _Document(archive).read()


class _Document:
    """One file, and what its texts share."""

    def __init__(self, archive: Archive, is_inserted: bool = False) -> None:
        """Raises FormatError if it has no body."""
        self._archive = archive
        self._is_inserted = is_inserted
        self._left_out: Counter[str] = Counter()
        self._titles: list[str] = []
        self._read: set[str] = set()
        roots = dict(_targets(archive, "").values())
        self._core = archive.xml(roots.get("core-properties", "docProps/core.xml"))
        body = self._part(roots.get("officeDocument", "word/document.xml"))
        if body is None:
            raise FormatError("holds no text of Word, so it is damaged; save it anew or leave it out")
        self._body = body
        self._styles = Styles(_root(self._named("styles")))
        self._numbering = Numbering(_root(self._named("numbering")), self._styles.lists())
        self._numbering_apart: dict[str, Numbering] = {}
        self._settings = _root(self._named("settings"))
        self._note_parts = {kind: self._named(f"{kind}s") for kind in ("footnote", "endnote")}
        self._notes = Notes({kind: self._note_form(kind) for kind in self._note_parts})

    def read(self) -> Parsed:
        """All its texts, one below the other."""
        headers, footers = self._running("headerReference"), self._running("footerReference")
        blocks = [*headers, *self._blocks(self._body, self._body.root), *self._note_texts(), *footers]
        text = tidy(markdown_of(blocks))
        own = own_title(self._core.findtext(_TITLE)) if self._core is not None else None
        title = own or next(iter(self._titles), None)
        heading = next((block for block in blocks if block.marks.startswith("#")), None)
        if title is None and heading is not None and not heading.label:  # "1. Scope" is the title of a part.
            title = first_heading(text)
        return Parsed(title, text, (), counted(self._left_out))

    def _part(self, name: str) -> _Part | None:
        content = self._archive.bytes(name)
        return None if content is None else _Part(parsed_xml(transitional(content)), _targets(self._archive, name))

    def _named(self, kind: str) -> _Part | None:
        """The part that is the body's "styles", "numbering" or "settings"."""
        name = next((name for one, name in self._body.targets.values() if one == kind), f"word/{kind}.xml")
        return self._part(name)

    def _blocks(self, part: _Part, root: Element, running: bool = False) -> list[Block]:
        """The blocks of a part, or of one of the notes in it."""
        story = Story(self._styles, self._notes, self._left_out, complete_fields(root), running=running)
        drawing, inserted = partial(self._drawn, part), partial(self._inserted, part)
        titles = self._titles if part is self._body else []  # A letterhead is no title.
        kind = "running" if running else part.root.tag
        numbering = self._numbering if part is self._body else self._counting(kind)
        return read_blocks(Reading(story, numbering, drawing, inserted, titles), root)

    def _counting(self, kind: str) -> Numbering:
        """How one kind of text beside the body is numbered."""
        return self._numbering_apart.setdefault(kind, self._numbering.anew())

    def _drawn(self, part: _Part, reading: Reading, drawn: Element) -> list[Block]:
        """What a text box, a shape, a diagram or a chart says."""
        if drawn.tag == f"{W}txbxContent":
            return read_blocks(replace(reading, numbering=self._counting(drawn.tag)), drawn)
        if drawn.tag == f"{V}textpath":
            return [Block(text) for text in [drawn.get("string", "").strip()] if text]
        if drawn.tag == f"{A}txBody":
            return [Block(text) for text in paragraphs(drawn)]
        diagram = drawn.tag == f"{DIAGRAM}relIds"
        name = part.targets.get(drawn.get(f"{R}dm" if diagram else f"{R}id", ""), ("", ""))[1]
        if name in self._read:  # Each only once, however often it is shown.
            return []
        self._read.add(name)
        target = self._part(name)
        title, rows = chart_rows(target.root) if target is not None and not diagram else ("", ())
        said = [title] if not diagram else paragraphs(target.root) if target is not None else ()
        blocks = [Block(text) for text in said if text] + ([Block("", rows=rows)] if rows else [])
        if not blocks:
            self._left_out["diagram" if diagram else "chart"] += 1
        return blocks

    def _inserted(self, part: _Part, chunk: Element) -> list[Block]:
        """A file of another kind that Word would take in when opening this one."""
        name = part.targets.get(chunk.get(f"{R}id", ""), ("", ""))[1]
        content = self._archive.bytes(name) if name not in self._read else b""
        self._read.add(name)
        suffix = posixpath.splitext(name.lower())[1]
        text = ""
        if content is not None and suffix in {".mht", ".mhtml"}:
            pages = [one for one in email.message_from_bytes(content).walk() if one.get_content_type() == "text/html"]
            text = "\n\n".join(markdown(soup(cast(bytes, page.get_payload(decode=True)))) for page in pages)
        elif content is not None and suffix in {".htm", ".html", ".xhtml"}:
            text = markdown(soup(content))
        elif content is not None and suffix == ".txt":
            text = decode(content).text
        elif content is not None and suffix == ".docx" and not self._is_inserted:
            with opened(io.BytesIO(content)) as archive:
                document = _Document(archive, is_inserted=True)
                text = document.read().text
                self._left_out += document._left_out
        else:
            self._left_out["inserted file"] += 1
        return [Block(text)] if text.strip() else []

    def _note_form(self, kind: str) -> tuple[str, int]:
        """The format and first number of notes, 1 unless i is needed."""
        said = [child(one, f"{W}{kind}Pr") for one in [*self._body.root.iter(f"{W}sectPr"), self._settings]]
        form = next((form for one in said if (form := value(one, f"{W}numFmt"))), None)
        start = next((start for one in said if (start := value(one, f"{W}numStart"))), None)
        both = all(part is not None and _has_notes(part.root) for part in self._note_parts.values())
        return form or ("lowerRoman" if kind == "endnote" and both else "decimal"), whole(start, 1)

    def _note_texts(self) -> Iterator[Block]:
        """The notes that are referred to, in that order, each with its label."""
        notes = {
            (kind, note.get(f"{W}id", "")): (part, note)
            for kind, part in self._note_parts.items()
            if part is not None
            for note in part.root.iter(f"{W}{kind}")
        }
        for key in self._notes.order:  # It grows where a note refers to another one.
            first, *rest = (self._blocks(*notes[key]) if key in notes else []) or [Block("")]
            yield replace(first, label=f"[{self._notes.labels[key]}]")
            yield from rest

    def _running(self, kind: str) -> list[Block]:
        """The different headers or footers that are shown, without the numbers of pages."""
        even = is_on(child(self._settings, f"{W}evenAndOddHeaders"))
        names = []
        for section in self._body.root.iter(f"{W}sectPr"):
            shown = {"default", "even" if even else "", "first" if is_on(child(section, f"{W}titlePg")) else ""}
            named = [one for one in section if one.tag == W + kind and one.get(f"{W}type", "default") in shown]
            ids = [one.get(f"{R}id", "") for one in named]
            names += [self._body.targets[one][1] for one in ids if one in self._body.targets]
        texts: dict[str, list[Block]] = {}
        for name in dict.fromkeys(names):
            part = self._part(name)
            blocks = self._blocks(part, part.root, running=True) if part is not None else []
            texts.setdefault(markdown_of(blocks), blocks)
        return [block for text, blocks in texts.items() if _LETTER.search(text) for block in blocks]


def _has_notes(part: Element) -> bool:
    """Whether it holds notes, not only the lines above them, which have types."""
    return any(note.get(f"{W}type", "normal") == "normal" for note in part)


def _root(part: _Part | None) -> Element | None:
    return part.root if part is not None else None


def _targets(archive: Archive, name: str) -> dict[str, tuple[str, str]]:
    """For each id of a part that a part refers to, its kind and name."""
    folder, file = posixpath.split(name)
    content = archive.bytes(posixpath.join(folder, "_rels", f"{file}.rels"))
    found = {}
    for one in parsed_xml(content) if content is not None else ():
        if one.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, one.get("Target", ""))).lstrip("/")
            found[one.get("Id", "")] = (one.get("Type", "").rpartition("/")[2], target)
    return found
