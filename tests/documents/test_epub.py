"""The chapters of a book are read in their order, and nothing that is none."""

from io import BytesIO

import formats
import pytest

from rag.documents.epub import read_epub
from rag.documents.parsed import Parsed

XHTML = "application/xhtml+xml"
PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20


def page(body: str) -> str:
    return f'<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>T</title></head><body>{body}</body></html>'


def book(
    files: dict[str, str | bytes],
    items: list[tuple[str, str]],
    spine: str | None = None,
    metadata: str = "",
    **more: str,
) -> bytes:
    """`items` are the addresses in the manifest and their types, with further attributes behind a blank."""
    manifest = ""
    for number, (address, kind) in enumerate(items):
        media_type, _, attributes = kind.partition(" ")
        manifest += f'<item id="i{number}" href="{address}" media-type="{media_type}" {attributes}/>'
    if spine is None:
        spine = "<spine>" + "".join(f'<itemref idref="i{number}"/>' for number in range(len(items))) + "</spine>"
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>{metadata}'
        f"</metadata><manifest>{manifest}</manifest>{spine}</package>"
    )
    container = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
    members = {"META-INF/container.xml": container, "OPS/book.opf": package}
    members |= {f"META-INF/{name}.xml": content for name, content in more.items()}
    return formats.archive(members | {f"OPS/{name}": content for name, content in files.items()})


def read(*arguments: object, **more: object) -> Parsed:
    return read_epub(BytesIO(book(*arguments, **more)), None)  # type: ignore[arg-type]


def test_chapters_are_read_in_the_order_of_the_spine() -> None:
    content = formats.epub(
        ["<h1>One</h1><p>The <i>first</i>.<br/>Line.</p>", "<h1>Two</h1><p>The&#160;second.</p>"], "Both"
    )
    assert read_epub(BytesIO(content), None) == Parsed("Both", "# One\n\nThe first.\nLine.\n\n# Two\n\nThe second.")


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        ("text/One.xhtml", "Text/one.XHTML"),
        ("a b.xhtml", "a%20b.xhtml"),
        ("a%20b.xhtml", "a%20b.xhtml"),
        ("Übung.xhtml", "%C3%9Cbung.xhtml"),
        ("U\u0308bung.xhtml", "Übung.xhtml"),
        ("one.xhtml", "../OPS/./one.xhtml#part2"),
    ],
)
def test_a_chapter_is_found_by_a_name_that_is_spelt_otherwise(stored: str, named: str) -> None:
    assert read({stored: page("<p>Found.</p>")}, [(named, XHTML)]) == Parsed(None, "Found.")


def test_the_exact_name_goes_before_a_similar_one() -> None:
    files = {"one.xhtml": page("<p>One.</p>"), "ONE.xhtml": page("<p>Other.</p>")}
    assert read(files, [("ONE.xhtml", XHTML), ("one.xhtml", XHTML)]).text == "Other.\n\nOne."


def test_chapters_that_the_file_lacks_are_told() -> None:
    spine = '<spine><itemref idref="i0"/><itemref idref="i1"/><itemref idref="i9"/></spine>'
    document = read({"one.xhtml": page("<p>One.</p>")}, [("one.xhtml", XHTML), ("two.xhtml", XHTML)], spine)
    assert document == Parsed(None, "One.", (), ("2 chapters that the file lacks",))


@pytest.mark.parametrize("media_type", ["image/png", XHTML, "application/octet-stream", ""])
def test_a_picture_in_the_spine_is_no_text(media_type: str) -> None:
    files = {"one.xhtml": page("<p>One.</p>"), "map.png": PICTURE}
    document = read(files, [("one.xhtml", XHTML), ("map.png", media_type)])
    assert document == Parsed(None, "One.", (), ("1 picture",))


def test_the_fallback_of_what_is_no_text_is_read() -> None:
    files = {"map.png": PICTURE, "data.bin": b"\0\1\2", "map.xhtml": page("<p>Go north.</p>")}
    named = [
        ("map.png", "image/png fallback='i1'"),
        ("data.bin", "application/x-own fallback='i2'"),
        ("map.xhtml", XHTML),
    ]
    first = '<spine><itemref idref="i0"/></spine>'
    assert read(files, named, first) == Parsed(None, "Go north.")
    circle = [("map.png", "image/png fallback='i1'"), ("data.bin", "application/x-own fallback='i0'"), named[2]]
    assert read(files, circle) == Parsed(None, "Go north.", (), ("1 picture", "1 part of another kind"))


def test_the_words_in_svg_are_read() -> None:
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg"><title>Map</title><desc>A map.</desc><text x="1">Mill <tspan>dam</tspan></text>'
        '<g><text><tspan x="1">first line</tspan><tspan x="1" dy="9">second line</tspan></text></g></svg>'
    )
    files = {"map.svg": drawing, "one.xhtml": page(f"<p>Above.</p>{drawing}")}
    assert read(files, [("map.svg", "image/svg+xml")]).text.split() == [
        "Mill",
        "dam",
        "first",
        "line",
        "second",
        "line",
    ]
    assert read(files, [("one.xhtml", XHTML)]).text.split() == [
        "Above.",
        "Mill",
        "dam",
        "first",
        "line",
        "second",
        "line",
    ]


def test_what_only_lists_the_chapters_is_left_out() -> None:
    links = "".join(f'<li><a href="c{n}.xhtml">Chapter {n}</a> {n}</li>' for n in range(4))
    navigation = f'<nav epub:type="toc"><h1>Contents</h1><ol>{links}</ol></nav>'
    files = {
        "nav.xhtml": page(navigation),
        "toc.xhtml": page(f"<p>Contents</p><ul>{links}</ul>"),
        "index.xhtml": page(
            f"<h1>See also</h1><ul>{links}</ul><p>Herons, <a href='a#1'>3</a></p><p>Frogs, <a href='a#2'>4</a></p>"
        ),
        "one.xhtml": page(f"<p>One.</p>{navigation}"),
        "two.xhtml": page("<p>Twelve herons stand beside the mill.</p>" + "<a href='a'>a</a> " * 3),
    }
    items = [
        ("nav.xhtml", f"{XHTML} properties='nav'"),
        ("toc.xhtml", XHTML),
        ("index.xhtml", XHTML),
        ("one.xhtml", XHTML),
        ("two.xhtml", XHTML),
    ]
    document = read(files, items)
    assert document.text.startswith("# See also\n\n- Chapter 0 0") and document.text.endswith(
        "Frogs, 4\n\nOne.\n\nTwelve herons stand beside the mill.\n\na a a"
    )
    assert "Contents" not in document.text and document.left_out == ()


def test_notes_are_read_and_their_references_change_no_number() -> None:
    body = (
        '<p>It cost 1,940<sup><a epub:type="noteref" href="#n1">1</a></sup> in '
        '2022<a role="doc-noteref" href="#n2"><sup>[2]</sup></a>.</p>'
        '<aside epub:type="footnote" id="n1" hidden="hidden"><p>1. Unaudited.</p></aside>'
        '<section epub:type="endnotes"><p id="n2">2. With the dam.</p></section>'
    )
    assert read({"one.xhtml": page(body)}, [("one.xhtml", XHTML)]).text == (
        "It cost 1,940[1] in 2022[2].\n\n1. Unaudited.\n\n2. With the dam."
    )


def test_the_numbers_of_printed_pages_are_no_text() -> None:
    body = '<p>It costs 4<span epub:type="pagebreak" id="p12">12</span>0 euros<span class="pagenum"><a id="p13">[13]</a></span><span role="doc-pagebreak" title="13"/>.</p>'
    assert read({"one.xhtml": page(body)}, [("one.xhtml", XHTML)]).text == "It costs 40 euros."


def test_without_a_spine_the_manifest_is_read_and_each_chapter_once() -> None:
    files = {
        "one.xhtml": page("<p>One.</p>"),
        "two.xhtml": page("<p>Two.</p>"),
        "nav.xhtml": page("<h1>Contents</h1><nav epub:type='toc'><a href='one.xhtml'>One</a></nav>"),
    }
    items = [
        ("nav.xhtml", f"{XHTML} properties='nav'"),
        ("one.xhtml", XHTML),
        ("style.css", "text/css"),
        ("two.xhtml", XHTML),
    ]
    for spine in ("", "<spine/>"):
        assert read(files, items, spine).text == "One.\n\nTwo."
    twice = '<spine><itemref idref="i1"/><itemref idref="i3" linear="no"/><itemref idref="i1"/></spine>'
    assert read(files, items, twice).text == "One.\n\nTwo."


def test_a_package_that_the_container_does_not_name_is_found() -> None:
    content = formats.members(book({"one.xhtml": page("<p>One.</p>")}, [("one.xhtml", XHTML)]))
    del content["META-INF/container.xml"]
    assert read_epub(BytesIO(formats.archive(dict(content))), None).text == "One."


def test_pictures_are_told() -> None:
    body = page("<p>One.</p><img src='a.png'/><svg><image href='b.png'/></svg>")
    assert read({"one.xhtml": body}, [("one.xhtml", XHTML)]).left_out == ("2 pictures",)


def test_a_heading_above_a_picture_is_read() -> None:
    body = page("<h1>The mill</h1><svg><title>A drawing</title><image href='b.png'/></svg>")
    assert read({"one.xhtml": body}, [("one.xhtml", XHTML)]) == Parsed("The mill", "# The mill", (), ("1 picture",))


def test_encrypted_fonts_are_no_protection() -> None:
    fonts = '<encryption><CipherReference URI="OPS/font.otf"/></encryption>'
    assert read({"one.xhtml": page("<p>One.</p>")}, [("one.xhtml", XHTML)], encryption=fonts).text == "One."


def test_chapters_in_other_encodings_and_plain_text() -> None:
    wide = f'<?xml version="1.0" encoding="utf-16"?>{page("<p>Über.</p>")}'.encode("utf-16")
    latin = f'<?xml version="1.0" encoding="iso-8859-1"?>{page("<p>Straße.</p>")}'.encode("latin-1")
    files = {"a.xhtml": wide, "b.xhtml": latin, "c.txt": "Plain < text."}
    assert (
        read(files, [("a.xhtml", XHTML), ("b.xhtml", XHTML), ("c.txt", "text/plain")]).text
        == "Über.\n\nStraße.\n\nPlain < text."
    )


@pytest.mark.parametrize(
    ("metadata", "title"),
    [
        ("<dc:title> Of\n ponds </dc:title>", "Of ponds"),
        ("<dc:title>Unknown</dc:title>", "One"),
        ("<dc:title/>", "One"),
        ('<dc:title>A series</dc:title><dc:title id="t">Of mills</dc:title><meta refines="#t" property="title-type">main</meta>', "Of mills"),
    ],
)  # fmt: skip
def test_the_title_is_the_main_one_that_says_something(metadata: str, title: str) -> None:
    assert read({"one.xhtml": page("<h1>One</h1><p>x</p>")}, [("one.xhtml", XHTML)], metadata=metadata).title == title
