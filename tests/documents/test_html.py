"""HTML: what a reader sees of the main part, with its numbers, lists and tables as they are written."""

from io import BytesIO
from pathlib import Path

import formats
import pytest

from rag.documents.html.reader import markdown, read_html, rendered, soup
from rag.documents.parsed import Parsed
from rag.documents.parsers import read

BEFORE = (
    "<p>The mill at Orrin was built in 1874 and is run by the parish, which keeps it open for schools and clubs.</p>"
)
AFTER = "<p>Visitors are asked to leave their shoes in the entrance hall, as the floor of the mill is very old.</p>"


def text(body: str) -> str:
    """The Markdown of a fragment."""
    return markdown(soup(body))


def page(body: str, head: str = "") -> Parsed:
    """A page with a menu and a footer, whose article has `body` between two paragraphs."""
    article = f"<article><h1>The mill</h1>{BEFORE}{body}{AFTER}</article>"
    return read_html(BytesIO(formats.html(article).replace(b"</head>", f"{head}</head>".encode())), None)


def between(body: str, head: str = "") -> str:
    """What is read of `body` within an article."""
    whole = page(body, head).text
    start, end = whole.index("clubs.") + len("clubs."), whole.index("Visitors are")
    return whole[start:end].strip()


@pytest.mark.slow
def test_html_gives_its_main_text_with_headings_and_tables() -> None:
    content = formats.html(
        "<h1>The pond</h1><p>A <b>grey</b> heron waits beside <a href='/mill'>the mill</a>, still and patient.</p>"
        "<h2>Prices</h2><table><tr><th>Fish</th><th>Price</th></tr><tr><td>Carp</td><td>4 €</td></tr></table>"
        "<ul><li>first_thing</li><li>2 * 3</li></ul><pre><code>a = 1\nb  = 2</code></pre><img src='x.png' alt='Photo'>",
        "Ponds &amp; herons",
    )
    page = read_html(BytesIO(content), None)
    assert page.title == "Ponds & herons"
    assert page.text == (
        "# The pond\n\nA grey heron waits beside the mill, still and patient.\n\n## Prices\n\n"
        "| Fish | Price |\n| --- | --- |\n| Carp | 4 € |\n\n- first_thing\n- 2 * 3\n\n```\na = 1\nb  = 2\n```"
    )


def test_html_without_a_main_text_gives_all_that_it_shows() -> None:
    page = read_html(
        BytesIO(b"<head><style>p {}</style></head><nav>Only a menu</nav><p hidden>no</p><script>x()</script>"), None
    )
    assert page == Parsed(None, "Only a menu", left_out=("1 hidden part",))


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        ("<meta charset='koi8-r'><p>Это пруд.</p>".encode("koi8-r"), None),
        ("<p>Это пруд.</p>".encode("utf-16"), None),
        ("<?xml version='1.0' encoding='utf-8'?><html><body><p>Это пруд.</p></body></html>".encode(), "no-such"),
    ],
)
def test_the_encoding_of_html_is_found(tmp_path: Path, content: bytes, charset: str | None) -> None:
    file = tmp_path / "a.html"
    file.write_bytes(content)
    assert read(str(file), "html", charset).text == "Это пруд."


def test_the_encoding_that_a_server_names_counts() -> None:
    assert read_html(BytesIO("<p>Une déjà vu.</p>".encode("cp1252")), "cp1252").text == "Une déjà vu."


@pytest.mark.slow
def test_crossed_and_unclosed_tags_lose_no_text() -> None:
    tags = "<div><font><b>" * 500, "</div></b>" * 300
    content = formats.html(f"<p>Before it.</p>{tags[0]}Deep below.{tags[1]}<p>After.</p>")
    assert read_html(BytesIO(content), None).text.split("\n\n") == ["Before it.", "Deep below.", "After."]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("3 × 10<sup>6</sup> litres", "3 × 10^6 litres"),
        ("5 × 10<sup>−3</sup> g", "5 × 10^-3 g"),
        ("17 km<sup>2</sup>", "17 km^2"),
        ("E = mc<sup>2</sup>", "E = mc^2"),
        ("x<sup>n+1</sup>", "x^(n+1)"),
        ("2<sup>32</sup> addresses", "2^32 addresses"),
        ("48,250<sup>2</sup> mills", "48,250[2] mills"),
        ("in 2023<sup>3</sup>.", "in 2023[3]."),
        ("a word.<sup>12</sup>", "a word.[12]"),
        ("aged 5<sup><a href='#n1'>1</a></sup>", "aged 5[1]"),
        ("flour<a href='#fn2' role='doc-noteref'>2</a>", "flour[2]"),
        ("flour<span style='vertical-align: super'>3</span>", "flour[3]"),
        ("<sup>4</sup> With the barn.", "[4] With the barn."),
        ("the 1<sup>st</sup>, M<sup>me</sup>, XX<sup>e</sup>", "the 1st, Mme, XXe"),
        ("Falcon<sup>TM</sup>", "Falcon™"),
        ("€12<sup>99</sup>", "€12.99"),
        ("open 9<sup>00</sup>–17<sup>30</sup>", "open 9:00–17:30"),
        ("1<sup>1</sup>/<sub>2</sub> cups, <sup>3</sup>⁄<sub>4</sub>", "1 1/2 cups, 3⁄4"),
        ("H<sub>2</sub>O, SO<sub>4</sub><sup>2−</sup>", "H2O, SO4^2-"),
        ("101<sub>2</sub>, a<sub>n+1</sub>", "101_2, a_(n+1)"),
        ("<sup>14</sup>C dating", "14C dating"),
    ],
)
def test_raised_and_lowered_text_changes_no_value(html: str, expected: str) -> None:
    assert text(f"<p>{html}</p>") == expected


def test_a_mark_that_begins_a_note_is_no_exponent() -> None:
    notes = "<p>Of 8<sup>3</sup> members.</p><p><sup>3</sup> Without guests.</p>"
    assert text(notes) == "Of 8[3] members.\n\n[3] Without guests."


@pytest.mark.parametrize(
    "struck",
    [
        "<del>€89</del>",
        "<s>€89</s>",
        "<strike>€89</strike>",
        "<span style='text-decoration: line-through'>€89</span>",
        "<style>.old { text-decoration: line-through }</style><b class='old'>€89</b>",
    ],
)
def test_struck_out_text_is_left_out_and_counted(struck: str) -> None:
    found = rendered(soup(f"<p>It costs {struck} €64.</p>"))
    assert " ".join(found.text.split()) == "It costs €64."
    assert found.left_out["struck-out part"] == 1


@pytest.mark.parametrize("style", ["display:none", "visibility: hidden", "font-size:0", "color:#fff;background:white"])
def test_invisible_text_is_left_out_and_counted(style: str) -> None:
    found = rendered(soup(f"<p>Shown to all who come here.</p><p style='{style}'>Unseen.</p>"))
    assert (found.text, found.left_out["hidden part"]) == ("Shown to all who come here.", 1)


@pytest.mark.parametrize(
    ("math", "expected"),
    [
        ("<mi>x</mi><mo>=</mo><mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mrow><mn>2</mn><mi>c</mi></mrow></mfrac>", "x = (a + b)/(2 c)"),
        ("<msqrt><msup><mi>b</mi><mn>2</mn></msup><mo>-</mo><msub><mi>x</mi><mn>1</mn></msub></msqrt>", "sqrt(b^2 - x_1)"),
        ("<mn>3</mn><mo>×</mo><msup><mn>10</mn><mrow><mo>−</mo><mn>6</mn></mrow></msup>", "3 × 10^-6"),
        ("<semantics><annotation encoding='application/x-tex'>a^2</annotation></semantics>", "a^2"),
    ],
)  # fmt: skip
def test_an_equation_is_a_line_of_text(math: str, expected: str) -> None:
    assert text(f"<p>Here <math>{math}</math> holds.</p>") == f"Here {expected} holds."


def test_an_equation_that_is_shown_twice_is_given_once() -> None:
    katex = "<span class='katex'><span><math><mi>V</mi></math></span><span aria-hidden='true'><i>V</i></span></span>"
    wiki = "<span><span style='display: none'><math><mi>W</mi></math></span><img alt='W'></span>"
    assert text(f"<p>{katex} and {wiki}.</p>") == "V and W."


def test_items_of_ordered_lists_have_their_numbers() -> None:
    assert text("<ol start='4'><li>Dry.<li>Pay.<li value='9'>Go.</ol>") == "4. Dry.\n5. Pay.\n9. Go."
    assert text("<ol reversed><li>Bronze<li>Gold</ol>") == "2. Bronze\n1. Gold"
    nested = "<ol type='I'><li>Scope<ol type='a'><li>Guests</li><li>Staff<ul><li>Day</li></ul></li></ol></li></ol>"
    assert text(nested) == "I. Scope\n   a. Guests\n   b. Staff\n      - Day"


def test_nested_numbers_of_a_style_sheet_are_given() -> None:
    style = "<style>li::before { content: counters(item, '.') ' ' }</style>"
    assert text(f"{style}<ol><li>Rent<ol><li>It rises.</li></ol></li></ol>") == "1. Rent\n   1.1. It rises."


def test_merged_cells_keep_the_columns() -> None:
    head = "<tr><th>Day</th><th>Lane</th><th>Club</th></tr>"
    rows = "<tr><td rowspan='2'>Mon</td><td>1</td><td>Otters</td></tr><tr><td>2</td><td></td></tr><tr><td>Tue</td><td colspan='2'>closed</td></tr>"
    assert text(f"<table><caption>Lanes</caption>{head}{rows}</table>").split("\n") == [
        "Lanes", "", "| Day | Lane | Club |", "| --- | --- | --- |", "| Mon | 1 | Otters |", "| Mon | 2 | |", "| Tue | closed | closed |",
    ]  # fmt: skip


def test_heads_of_two_rows_become_one() -> None:
    head = "<thead><tr><th rowspan='2'>Plan</th><th colspan='2'>Price</th></tr><tr><th>month</th><th>year</th></tr></thead>"
    table = text(f"<table>{head}<tr><td>A</td><td>1</td><td>10</td></tr></table>")
    assert table == "| Plan | Price month | Price year |\n| --- | --- | --- |\n| A | 1 | 10 |"


def test_lists_and_paragraphs_in_a_cell_stay_in_its_line() -> None:
    rows = "<tr><td>Mon</td><td><ul><li>Crawl</li><li>Diving</li></ul></td></tr><tr><td>Tue</td><td><p>Polo</p><p>Yoga</p></td></tr>"
    assert text(f"<table>{rows}</table>") == "| Mon | Crawl; Diving |\n| --- | --- |\n| Tue | Polo; Yoga |"


def test_a_picture_alone_in_a_cell_says_what_it_means() -> None:
    assert "| Yes |" in text("<table><tr><td>Pets</td><td><img alt='Yes'></td></tr></table>")


def test_a_table_that_lays_out_a_page_is_none() -> None:
    assert (
        text("<table><tr><td><h2>Menu</h2><p>Soup.</p></td><td><p>Bread.</p></td></tr></table>")
        == "## Menu\n\nSoup.\n\nBread."
    )


def test_terms_ruby_boxes_and_broken_headings() -> None:
    assert text("<dl><dt>Entry</dt><dd>6 euros</dd><dt>Sauna?</dt><dd>No</dd></dl>") == "- Entry: 6 euros\n- Sauna? No"
    assert text("<p><ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>です</p>") == "漢字(かんじ)です"
    assert text("<p><input type='checkbox' checked> Soup <input type='checkbox'> Bread</p>") == "☒ Soup ☐ Bread"
    assert text("<h2>Opening<br>hours</h2>") == "## Opening hours"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("<ul><li><span tabindex='0'>No dogs</span></li><li><span><a href='/g'>No glass</a></span></li><li><span>Ten at once</span></li></ul>", "- No dogs\n- No glass\n- Ten at once"),
        ("<h2>Prices</h2><h3>Adults</h3><p>6 euros.</p>", "## Prices\n\n### Adults\n\n6 euros."),
        ("<aside><p>Lockers take a coin of 2 euros.</p></aside>", "Lockers take a coin of 2 euros."),
        ("<figure><img src='a.png'><figcaption>The plan shows 3 exits</figcaption></figure>", "The plan shows 3 exits"),
        ("<noscript><p>The season ticket costs 140 euros.</p></noscript>", "The season ticket costs 140 euros."),
        ("<table><tr><td>Mon</td><td><ul><li>Closed</li></ul></td></tr><tr><td>Tue</td><td></td></tr></table>", "| Mon | Closed |\n| --- | --- |\n| Tue | |"),
    ],
)  # fmt: skip
def test_parts_of_an_article_that_trafilatura_loses_are_kept(part: str, expected: str) -> None:
    assert between(part) == expected


@pytest.mark.slow
def test_a_lead_before_the_text_is_kept() -> None:
    lead = "<p>The old mill opens its doors again after two years of works, and there is no fee on the first day of all.</p>"
    body = f"<main><header><h1>The mill</h1><div class='intro'>{lead}</div></header><div class='text'>{BEFORE}{AFTER}</div></main>"
    assert "no fee on the first day" in read_html(BytesIO(formats.html(body)), None).text


@pytest.mark.slow
@pytest.mark.parametrize(
    "panel",
    [
        "<h3><button aria-controls='a1'>When?</button></h3><div id='a1' hidden><p>On Fridays.</p></div>",
        "<h3>When?</h3><div class='faq-answer' style='display:none'>On Fridays.</div>",
        "<details><summary>When?</summary><p>On Fridays.</p></details>",
        "<button class='accordion' data-bs-target='#a1'>When?</button><div id='a1' style='display: none'>On Fridays.</div>",
        "<div role='tablist'><a role='tab' href='#a1' aria-controls='a1'>When?</a></div><div id='a1' role='tabpanel' hidden>On Fridays.</div>",
    ],
)
def test_what_a_reader_can_open_is_text(panel: str) -> None:
    shown = read_html(BytesIO(formats.html(f"<h1>Questions</h1>{BEFORE}{panel}")), None).text
    assert shown.index("When?") < shown.index("On Fridays.")


@pytest.mark.slow
@pytest.mark.parametrize(
    "dialog",
    [
        "<div id='onetrust-banner' role='dialog'>{}<button>Accept all</button></div>",
        "<div class='x1'><div>{}</div><div><button>Alle akzeptieren</button></div></div>",
        "<section class='cookie-notice'>{}<a class='btn' href='#'>OK</a></section>",
    ],
)
def test_a_cookie_dialog_longer_than_the_article_is_left_out(dialog: str) -> None:
    asked = "<p>We and our partners store cookies on your device to measure reach and to show offers that fit.</p>" * 12
    article = "<div class='content'><h1>Ferry</h1><p>It leaves at 07:10.</p></div>"
    found = read_html(BytesIO(formats.html(dialog.format(asked) + article)), None)
    assert found.text == "# Ferry\n\nIt leaves at 07:10."


@pytest.mark.slow
def test_an_article_about_cookies_is_read() -> None:
    body = "<p>A cookie is a small file. You may accept it or reject it in the settings of the browser.</p>"
    assert "small file" in page(body).text


@pytest.mark.slow
def test_menus_related_links_and_footers_stay_out() -> None:
    links = "<div class='related'><h2>More news</h2><ul><li><a href='/b'>Bridge closed</a></li></ul></div>"
    whole = read_html(BytesIO(formats.html(f"<article><h1>The mill</h1>{BEFORE}{AFTER}</article>{links}")), None).text
    assert whole.split("\n\n") == ["# The mill", BEFORE[3:-4], AFTER[3:-4]]


@pytest.mark.slow
def test_a_page_of_links_is_read() -> None:
    body = "<h1>Forms</h1><ul><li><a href='/a'>Form A for residents</a></li><li><a href='/b'>Form B for guests</a></li></ul>"
    assert read_html(BytesIO(formats.html(body)), None).text == "# Forms\n\n- Form A for residents\n- Form B for guests"


@pytest.mark.slow
def test_what_is_left_out_is_told_by_kind_and_number() -> None:
    found = page("<p>Now <s>5</s> <s>6</s> 7 euros.</p><p hidden>Old.</p><p><img src='chart.png'></p>")
    assert found.left_out == ("2 struck-out parts", "1 hidden part", "1 picture")


@pytest.mark.parametrize("title", ["Untitled Document", "about:blank", "(anonymous)", " "])
def test_a_default_title_is_none(title: str) -> None:
    body = f"<title>{title}</title><h1>Of herons</h1><svg><title>Icon</title></svg>"
    assert read_html(BytesIO(body.encode()), None).title == "Of herons"


def test_one_nul_is_no_reason_to_refuse_a_page() -> None:
    body = "<p>" + "The heron waits beside the mill. " * 50 + "</p>"
    assert "heron" in read_html(BytesIO(body.replace("waits", "wai\0ts", 1).encode()), None).text
