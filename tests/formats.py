"""Documents of every format for tests: sound ones, broken ones, and mutations."""

import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

_WORDS = ["pond", "frog", "heron", "reed", "water", "mill", "owner", "letter", "autumn", "bridge", "council", "garden"]
_OPENING = '<?xml version="1.0" encoding="UTF-8"?>'
_WORD_SPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
BuildOptions = Callable[[random.Random], bytes]


def prose(rng: random.Random, sentences: int = 6) -> str:
    """Sentences that no other document holds."""
    return " ".join(
        f"{' '.join(rng.choices(_WORDS, k=8)).capitalize()} {rng.randrange(10**6)}." for _ in range(sentences)
    )


def archive(members: Mapping[str, str | bytes]) -> bytes:
    """A ZIP file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def members(archive: bytes) -> dict[str, bytes]:
    """What is in a ZIP file."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return {name: file.read(name) for name in file.namelist()}


def pdf(pages: list[str], title: str = "", extra: str = "") -> bytes:
    """A PDF with a line of text for each line; `extra` goes into its trailer."""
    contents = []
    for page in pages:
        lines = "".join(f"({line.replace('(', '').replace(')', '')})Tj T*" for line in page.split("\n"))
        contents.append(f"BT /F1 11 Tf 14 TL 40 800 Td {lines} ET" if page else "")
    return drawn_pdf(contents, title=title, extra=extra)


def drawn_pdf(
    contents: list[str],
    title: str = "",
    extra: str = "",
    page: str = "",
    catalog: str = "",
    objects: tuple[str, ...] = (),
) -> bytes:
    """A PDF whose pages are drawn by the operators of `contents`, in the fonts F1 (Helvetica), F2 (bold), F3 (Courier).

    `page` and `catalog` go into these dictionaries, `objects` are further ones, numbered from 7; page 1 is object 5
    behind them all, so annotations need no /P.
    """
    fonts = "".join(f"/F{n}<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>" for n, name in FONTS)
    held = [f"<</Type/Catalog/Pages 2 0 R{catalog}>>", "", f"<<{fonts}>>", f"<</Title({title})>>", "null", "null"]
    held += objects
    kids = []
    for content in contents:
        kids.append(f"{len(held) + 1} 0 R")
        held.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font 3 0 R{page.partition('%%')[2]}>>"
            f"/Contents {len(held) + 2} 0 R{page.partition('%%')[0]}>>"
        )
        held.append(f"<</Length {len(content.encode('latin-1'))}>>stream\n{content}\nendstream")
    held[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {len(kids)}>>"
    body, offsets = "%PDF-1.7\n", []
    for number, content in enumerate(held, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj{content}endobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    start = len(body)
    body += f"xref\n0 {len(offsets) + 1}\n0000000000 65535 f \n{table}"
    body += f"trailer<</Size {len(offsets) + 1}/Root 1 0 R/Info 4 0 R{extra}>>\nstartxref\n{start}\n%%EOF\n"
    return body.encode("latin-1")


FONTS = (1, "Helvetica"), (2, "Helvetica-Bold"), (3, "Courier")


def at(x: float, y: float, text: str, size: float = 10, font: str = "F1", more: str = "") -> str:
    """The operators that draw `text` at a place of a PDF's page."""
    escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT {more} /{font} {size} Tf {x} {y} Td ({escaped})Tj ET\n"


def column(x: float, top: float, lines: list[str], size: float = 10, leading: float = 13) -> list[str]:
    """The operators for each of some lines below each other; an empty one leaves space."""
    return [at(x, top - leading * number, line, size) if line else "" for number, line in enumerate(lines)]


_OFFICE = "http://schemas.openxmlformats.org"
_SPACES = f"""xmlns:r="{_OFFICE}/officeDocument/2006/relationships" xmlns:m="{_OFFICE}/officeDocument/2006/math"
xmlns:mc="{_OFFICE}/markup-compatibility/2006" xmlns:a="{_OFFICE}/drawingml/2006/main" xmlns:v="urn:schemas-microsoft-com:vml"
xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" xmlns:o="urn:schemas-microsoft-com:office:office"
xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml" xmlns:c="{_OFFICE}/drawingml/2006/chart"
xmlns:dgm="{_OFFICE}/drawingml/2006/diagram" """
_PARTS = {"header": "w:hdr", "footer": "w:ftr", "chart": "c:chartSpace", "diagramData": "dgm:dataModel"}
"""The root elements of parts that are not named as they are."""


def docx(body: str, title: str = "", **parts: str | bytes) -> bytes:
    """A Word document of WordprocessingML paragraphs (`paragraph` and `heading` make them).

    `parts` are the contents of further ones, each with a relation of its name: numbering, styles,
    footnotes, settings, header1, chart1. What is bytes is a file to insert, and stays as it is.
    """
    style = '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    parts = {"styles": ""} | parts
    parts["styles"] = f"{style}{parts['styles']}"
    members: dict[str, str | bytes] = {}
    relations = ""
    for name, content in parts.items():
        kind = name.rstrip("0123456789")
        file = f"{name}.xml"
        if isinstance(content, bytes):
            kind, _, suffix = name.partition("_")
            kind, file = "aFChunk", f"{kind}.{suffix}"
        relations += (
            f'<Relationship Id="{name}" Type="{_OFFICE}/officeDocument/2006/relationships/{kind}" Target="{file}"/>'
        )
        root = _PARTS.get(kind, f"w:{kind}")
        members[f"word/{file}"] = (
            f"{_OPENING}<{root} {_WORD_SPACE} {_SPACES}>{content}</{root}>" if isinstance(content, str) else content
        )
    types = f"{_OFFICE}/package/2006/relationships"
    return archive(
        {
            "[Content_Types].xml": f'{_OPENING}<Types xmlns="{_OFFICE}/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" '
            'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
            "_rels/.rels": f'{_OPENING}<Relationships xmlns="{types}"><Relationship Id="r1" '
            f'Type="{_OFFICE}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'{_OPENING}<Relationships xmlns="{types}">{relations}</Relationships>',
            "docProps/core.xml": f'{_OPENING}<p xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></p>',
            "word/document.xml": body
            if body.startswith("<?xml")
            else f"{_OPENING}<w:document {_WORD_SPACE} {_SPACES}><w:body>{body}</w:body></w:document>",
            **members,
        }
    )


def paragraph(text: str, properties: str = "") -> str:
    """A WordprocessingML paragraph."""
    return f"<w:p>{properties}<w:r><w:t>{escape(text)}</w:t></w:r></w:p>"


def heading(text: str) -> str:
    """A WordprocessingML heading of the first level."""
    return paragraph(text, '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>')


def epub(chapters: list[str], title: str = "", **more: str) -> bytes:
    """A book whose spine runs against the order of its files; `more` adds members of META-INF."""
    names = [f"part {len(chapters) - number}.xhtml" for number in range(len(chapters))]
    items = "".join(f'<item id="i{n}" href="{name.replace(" ", "%20")}"/>' for n, name in enumerate(names))
    spine = "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
    members: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": f'{_OPENING}<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": f'{_OPENING}<package xmlns="http://www.idpf.org/2007/opf"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata>'
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    members |= {f"META-INF/{name}.xml": content for name, content in more.items()}
    for name, chapter in zip(names, chapters, strict=True):
        members[f"OPS/{name}"] = (
            f'{_OPENING}<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{chapter}</body></html>'
        )
    return archive(members)


def html(body: str, title: str = "A page") -> bytes:
    """A page with a menu and a footer around `body`."""
    return (
        f"<!doctype html><html><head><meta charset='utf-8'><title>{title}</title></head><body><nav><a href='/'>Home</a>"
        f"</nav><main>{body}</main><footer>All rights reserved</footer><script>var x = 1;</script></body></html>"
    ).encode()


def _html(rng: random.Random) -> bytes:
    return html(f"<h1>Page {rng.randrange(10**6)}</h1><p>{prose(rng)}</p><h2>More</h2><p>{prose(rng)}</p>")


def _deep_html(rng: random.Random) -> bytes:
    """Crossed and never closed tags: ugly, but a browser would show it."""
    return html(f"<p>{prose(rng)}</p>{'<div><font><b>' * 500}{prose(rng)}{'</div></b>' * 300}")


def _jsonl(rng: random.Random) -> bytes:
    lines = [{"text": prose(rng), "title": f"Line {number}"} for number in range(3)]
    return "\n".join(json.dumps(line) for line in lines).encode()


SOUND: dict[str, tuple[str, BuildOptions]] = {
    "plain": (".txt", lambda rng: prose(rng).encode()),
    "windows": (".txt", lambda rng: f"Der Bär läuft über die Straße und hört die Vögel. {prose(rng)}".encode("cp1252")),
    "wide": (".txt", lambda rng: f"{prose(rng)}\r\n".encode("utf-16")),
    "no mark": (".txt", lambda rng: prose(rng).encode("utf-16-le")),
    "cyrillic": (".txt", lambda rng: f"Это документ о прудах и лягушках. {prose(rng, 1)}".encode("koi8-r")),
    "markdown": (".md", lambda rng: f"# Note\n\n{prose(rng)}\n\n## More\n\n{prose(rng)}\n".encode()),
    "html": (".html", _html),
    "deep": (".htm", _deep_html),
    "pdf": (".pdf", lambda rng: pdf([prose(rng).replace(". ", ".\n") for _ in range(3)])),
    "docx": (".docx", lambda rng: docx(heading("Report") + "".join(paragraph(prose(rng)) for _ in range(5)))),
    "epub": (".epub", lambda rng: epub([f"<h1>Chapter</h1><p>{prose(rng)}</p>" for _ in range(3)], "A book")),
    "jsonl": (".jsonl", _jsonl),
}


def _flipped(content: bytes, rng: random.Random) -> bytes:
    flipped = bytearray(content)
    for _ in range(40):
        flipped[rng.randrange(60, len(flipped) - 60)] ^= 1 << rng.randrange(8)
    return bytes(flipped)


def _sound(name: str, rng: random.Random) -> bytes:
    return SOUND[name][1](rng)


@cache
def bomb() -> bytes:
    """600 MB in 3 MB or so."""
    return archive({"word/document.xml": bytes(600_000_000)})


_ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(10))
_LAUGHS = (
    f"{_OPENING}<!DOCTYPE w [{_ENTITIES}]><w:document {_WORD_SPACE}><w:body>{paragraph('x')}&e9;</w:body></w:document>"
)
_DRM = '<encryption><CipherReference URI="OPS/part%201.xhtml"/></encryption>'
_LOCK = f"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<{'ab' * 32}>/U<{'cd' * 32}>>>/ID[<{'01' * 16}><{'01' * 16}>]"

BROKEN: dict[str, tuple[str, BuildOptions]] = {
    "empty": (".txt", lambda rng: b""),
    "blank": (".md", lambda rng: b"\n \t\n"),
    "nul": (".txt", lambda rng: prose(rng).encode() + b"\0"),
    "binary": (".txt", lambda rng: rng.randbytes(5000)),
    "picture": (".html", lambda rng: b"\x89PNG\r\n\x1a\n" + rng.randbytes(500)),
    "no words": (".html", lambda rng: b"<html><head><title>T</title></head><body><img src='x.png'></body></html>"),
    "page": (".pdf", lambda rng: _sound("html", rng)),
    "cut": (".pdf", lambda rng: _sound("pdf", rng)[:300]),
    "noise": (".pdf", lambda rng: b"%PDF-1.7\n" + rng.randbytes(3000)),
    "locked": (".pdf", lambda rng: pdf([prose(rng)], extra=_LOCK)),
    "scanned": (".pdf", lambda rng: pdf(["", ""])),
    "paper": (".docx", lambda rng: _sound("pdf", rng)),
    "cut short": (".docx", lambda rng: _sound("docx", rng)[:-100]),
    "flipped": (".docx", lambda rng: _flipped(_sound("docx", rng), rng)),
    "old": (".docx", lambda rng: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + rng.randbytes(3000)),
    "laughs": (".docx", lambda rng: docx(_LAUGHS)),
    "nested": (".docx", lambda rng: docx("<w:p>" * 30_000 + "</w:p>" * 30_000)),
    "bomb": (".docx", lambda rng: bomb()),
    "flipped book": (".epub", lambda rng: _flipped(_sound("epub", rng), rng)),
    "no chapters": (".epub", lambda rng: epub([])),
    "no list": (".epub", lambda rng: archive({"mimetype": "application/epub+zip"})),
    "rights": (".epub", lambda rng: epub([f"<p>{prose(rng)}</p>"], encryption=_DRM)),
    "lines": (".jsonl", lambda rng: b'{"text": "cut\n[1, 2]\n{"title": "no text"}\n{"text": ""}\n\xff\xfe\n'),
}


def write_mixed(folder: Path, count: int, seed: int = 0) -> set[str]:
    """Write `count` files of all formats into folders below `folder`, one in ten of them broken.

    Returns the paths of the broken ones, as `find_sources` gives them.
    """
    rng = random.Random(seed)
    broken = set()
    for number in range(count):
        kinds = BROKEN if number % 10 == 9 else SOUND
        name = list(kinds)[(number // 10 if kinds is BROKEN else number) % len(kinds)]
        suffix, make = kinds[name]
        path = folder / f"shelf {number % 7}" / f"{name} {number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make(rng))
        if kinds is BROKEN:
            broken.add(path.as_posix())
    return broken


def fuzz(document: bytes, seed: int) -> bytes:
    """`document` with random damage; in an archive mostly inside one member, so that it gets past the checksums."""
    rng = random.Random(seed)
    if document.startswith(b"PK") and rng.random() < 0.8:
        with zipfile.ZipFile(io.BytesIO(document)) as file:
            members = {name: file.read(name) for name in file.namelist()}
        name = rng.choice(list(members))
        return archive({**members, name: _damaged(members[name], rng)})
    return _damaged(document, rng)


def _damaged(content: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.choice([1, 2, 5, 20])):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.choice([1, 4, 50, 1000]))
        piece = rng.choice(
            [b"", rng.randbytes(end - at), content[at:end] * 3, b"<" * (end - at), b"9" * (end - at), b"\0"]
        )
        content = content[:at] + piece + content[end:]
    return content
