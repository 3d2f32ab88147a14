"""What Word shows of a document is read, at its place, and nothing else."""

import random
import sys
import time
from collections.abc import Iterator
from io import BytesIO

import formats
import pytest
from defusedxml import EntitiesForbidden
from formats import heading, paragraph

from rag.documents.docx.numbering import written
from rag.documents.docx.reader import read_docx
from rag.documents.parsed import FormatError, Parsed


def read(body: str, title: str = "", **parts: str | bytes) -> Parsed:
    return read_docx(BytesIO(formats.docx(body, title, **parts)), None)


def text(body: str, **parts: str | bytes) -> str:
    return read(body, **parts).text


def run(content: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{content}</w:t></w:r>'


def up(content: str) -> str:
    return run(content, '<w:vertAlign w:val="superscript"/>')


def down(content: str) -> str:
    return run(content, '<w:vertAlign w:val="subscript"/>')


def p(*runs: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{''.join(runs)}</w:p>"


def item(content: str, level: int = 0, number: int = 1) -> str:
    return p(run(content), properties=f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def levels(*forms: tuple[str, str], more: str = "", start: int = 1) -> str:
    return "".join(
        f'<w:lvl w:ilvl="{at}"><w:start w:val="{start}"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{pattern}"/>{more}</w:lvl>'
        for at, (form, pattern) in enumerate(forms)
    )


def numbering(*forms: tuple[str, str], more: str = "", start: int = 1, nums: str = "") -> str:
    return (
        f'<w:abstractNum w:abstractNumId="7">{levels(*forms, more=more, start=start)}</w:abstractNum>'
        f'<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>{nums}'
    )


def table(*rows: list[str]) -> str:
    """Cells are texts, or the inside of `w:tc` if they begin with a tag."""
    cells = [
        "".join(f"<w:tc>{cell if cell.startswith('<') else paragraph(cell)}</w:tc>" for cell in row) for row in rows
    ]
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in cells)}</w:tbl>"


def field(instruction: str, result: str, data: str = "") -> str:
    separate = f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{result}' if result else ""
    return (
        f'<w:r><w:fldChar w:fldCharType="begin">{data}</w:fldChar></w:r><w:r><w:instrText>{instruction}</w:instrText></w:r>'
        f'{separate}<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


def test_paragraphs_headings_and_tables() -> None:
    body = heading("The pond") + paragraph("A < b_c * d.") + table(["Carp", "4 €"], ["Eel", "a | b"])
    assert read(body, "Of ponds") == Parsed(
        "Of ponds", "# The pond\n\nA < b_c * d.\n\n| Carp | 4 € |\n| --- | --- |\n| Eel | a \\| b |"
    )


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([run("6 × 10"), up("6"), run(" litres on 4 m"), up("2"), run(".")], "6 × 10^6 litres on 4 m^2."),
        ([run("10"), up("-"), up("3"), run(" s"), up("−1")], "10^-3 s^-1"),
        ([run("x"), up("n+1"), run(" and 2"), up("n")], "x^(n+1) and 2^n"),
        ([run("48,250"), up("2"), run(" in 2023"), up("3"), run(" or later."), up("4")], "48,250[2] in 2023[3] or later.[4]"),
        ([run("H"), down("2"), run("O, C"), down("2"), run("H"), down("6"), run(", V"), down("2")], "H2O, C2H6, V2"),
        ([run("100 m"), up("2"), run("/day")], "100 m^2/day"),
        ([run("SO"), down("4"), up("2-"), run(" and Ca"), up("2+")], "SO4^2- and Ca^2+"),
        ([run("101"), down("2"), run(" and log"), down("2"), run("8")], "101_2 and log_2 8"),
        ([run("The 1"), up("st"), run(" of May, 25 "), up("o"), run("C, 3"), up("1"), run("/"), down("2"), run(" kg")],
         "The 1st of May, 25 °C, 3 1/2 kg"),
        ([run("A 3 "), run("12", '<w:position w:val="1"/>')], "A 3 12"),
        ([run("CO"), run("2", '<w:position w:val="-4"/>'), run(" 10"), run("6", '<w:position w:val="8"/>')], "CO2 10^6"),
    ],
)  # fmt: skip
def test_raised_and_lowered_text_changes_no_number(runs: list[str], expected: str) -> None:
    assert text(p(*runs)) == expected


NOTES = {
    "footnotes": '<w:footnote w:type="separator" w:id="-1"><w:p/></w:footnote>'
    f'<w:footnote w:id="5">{p("<w:r><w:footnoteRef/></w:r>", run(" Unaudited."))}</w:footnote>'
    f'<w:footnote w:id="6">{paragraph("Including the mill.")}{paragraph("And the dam.")}</w:footnote>'
    f'<w:footnote w:id="7">{paragraph("Nobody refers to it.")}</w:footnote>',
    "endnotes": f'<w:endnote w:id="5">{paragraph("See the council.")}</w:endnote>',
}


def reference(kind: str, number: int, more: str = "") -> str:
    return f'<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:{kind}Reference w:id="{number}" {more}/></w:r>'


def test_notes_are_numbered_and_stand_at_the_end() -> None:
    body = p(
        run("It cost 1,940"),
        reference("footnote", 6),
        reference("footnote", 5),
        run(" in 2022"),
        reference("endnote", 5),
    )
    assert text(body, **NOTES) == (
        "It cost 1,940[1][2] in 2022[i]\n\n[1] Including the mill.\n\nAnd the dam.\n\n[2] Unaudited.\n\n[i] See the council."
    )
    assert text(body, endnotes=NOTES["endnotes"]).endswith("in 2022[1]\n\n[1]\n\n[2]\n\n[1] See the council.")
    marked = p(
        run("Free"), '<w:r><w:footnoteReference w:customMarkFollows="1" w:id="5"/><w:t>*</w:t></w:r>', run("of charge")
    )
    assert text(marked, **NOTES) == "Free[*] of charge\n\n[*] Unaudited."


def test_the_numbers_of_notes_have_the_format_that_the_document_sets() -> None:
    body = p(run("Word"), reference("footnote", 5))
    settings = '<w:footnotePr><w:numFmt w:val="lowerLetter"/><w:numStart w:val="3"/></w:footnotePr>'
    assert text(body, **NOTES, settings=settings) == "Word[c]\n\n[c] Unaudited."


def test_what_is_struck_out_hidden_or_invisible_is_left_out_and_told() -> None:
    styles = (
        '<w:style w:type="character" w:styleId="Old"><w:rPr><w:strike/></w:rPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Gone"><w:rPr><w:vanish/></w:rPr></w:style>'
    )
    body = (
        p(
            run("Costs "),
            run("€8", "<w:strike/>"),
            run("9", "<w:strike/>"),
            run(" €64"),
            run("4", "<w:dstrike/>"),
            run("."),
        )
        + p(run("One ", '<w:rStyle w:val="Old"/>'), run("two", '<w:rStyle w:val="Old"/><w:strike w:val="0"/>'))
        + p(run("Three"), properties='<w:pStyle w:val="Gone"/>')
        + p(
            run("five ", "<w:vanish/>"),
            run("white ", '<w:color w:val="FFFFFF"/>'),
            run("tiny", '<w:sz w:val="2"/>'),
            run("six"),
        )
        + p(run("White on black", '<w:color w:val="FFFFFF"/><w:shd w:fill="000000"/>'))
        + p(run("Black on it", '<w:color w:val="000000"/><w:highlight w:val="black"/>'))
    )
    document = read(body, styles=styles)
    assert document.text == "Costs €64.\n\ntwo\n\nsix\n\nWhite on black"
    assert document.left_out == ("3 struck-out parts", "2 hidden parts", "2 invisible parts")


def test_white_letters_in_a_coloured_cell_are_seen() -> None:
    white = run("Depot", '<w:color w:val="FFFFFF"/>')
    shaded = f'<w:tcPr><w:shd w:fill="1F3864"/></w:tcPr>{p(white)}'
    assert text(table([shaded, f"<w:tcPr/>{p(white)}"])) == "| Depot |  |\n| --- | --- |"


def test_of_tracked_changes_the_new_text_is_read() -> None:
    deleted = '<w:del w:id="1"><w:r><w:delText>seven</w:delText></w:r></w:del>'
    body = (
        p(run("It takes "), deleted, f'<w:ins w:id="2">{run("nine")}</w:ins>', run(" days."))
        + p(f"<w:moveFrom>{run('Moved.')}</w:moveFrom>", run("Stays."))
        + p(f"<w:moveTo>{run('Moved.')}</w:moveTo>")
        + p(run("First half, "), properties="<w:rPr><w:del/></w:rPr>")
        + p(run("second half."))
    )
    document = read(body)
    assert document.text == "It takes nine days.\n\nStays.\n\nMoved.\n\nFirst half, second half."
    assert document.left_out == ("1 deleted part",)
    rows = (
        f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>{paragraph('a')}</w:tc></w:tr><w:tr><w:tc>{paragraph('b')}</w:tc>"
    )
    assert text(f"{rows}<w:tc>{paragraph('c')}</w:tc></w:tr></w:tbl>") == "| b | c |\n| --- | --- |"


def test_comments_stay_out() -> None:
    commented = p(
        '<w:commentRangeStart w:id="0"/>',
        run("Fine."),
        '<w:commentRangeEnd w:id="0"/><w:r><w:commentReference w:id="0"/></w:r>',
    )
    document = read(commented, comments=f'<w:comment w:id="0">{paragraph("Is it?")}</w:comment>')
    assert document == Parsed(None, "Fine.", (), ("1 comment",))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (f'<w:fldSimple w:instr=" MERGEFIELD Name ">{run("Ms Okoro")}</w:fldSimple>', "Ms Okoro"),
        (field("REF x \\h", run("clause 4")), "clause 4"),
        (field('HYPERLINK "http://a.b"', run("the mill")), "the mill"),
        (field(f'IF {field("MERGEFIELD sex", run("m"))} = "m" "Mr" "Ms"', run("Mr")), "Mr"),
        (field("QUOTE", run("a ") + field("DATE", run("12 May")) + run(" b")), "a 12 May b"),
        (field('XE "pond"', "") + field("SET a", run("secret")), ""),
        (field("MACROBUTTON None [Enter a name]", ""), "[Enter a name]"),
        (field("FORMTEXT", run("Olsen"), "<w:ffData/>"), "Olsen"),
        (field("FORMTEXT", "", "<w:ffData><w:textInput><w:default w:val='none'/></w:textInput></w:ffData>"), "none"),
        (field(' SYMBOL 254 \\f "Wingdings" \\s 10 ', ""), "☑"),
        (field("FORMDROPDOWN", "", '<w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/><w:listEntry w:val="blue"/></w:ddList></w:ffData>'), "blue"),
        (field("FORMCHECKBOX", "", "<w:ffData><w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox></w:ffData>"), "[x]"),
        (field("FORMCHECKBOX", "", "<w:ffData><w:checkBox><w:default w:val='1'/></w:checkBox></w:ffData>"), "[x]"),
        (field("FORMCHECKBOX", "", "<w:ffData><w:checkBox><w:default w:val='1'/><w:checked w:val='0'/></w:checkBox></w:ffData>"), "[ ]"),
        ('<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>REF</w:instrText></w:r>' + run("never ended"), "never ended"),
        ('<w:r><w:fldChar w:fldCharType="end"/></w:r>' + run("never begun"), "never begun"),
    ],
)  # fmt: skip
def test_a_field_is_its_result(content: str, expected: str) -> None:
    assert text(p(run("A "), content, run(" z"))) == f"A {expected} z".replace("  ", " ")


def test_a_field_can_run_over_paragraphs() -> None:
    begun = '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>INCLUDETEXT "a"</w:instrText></w:r>'
    ended = '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    body = p(begun, '<w:r><w:fldChar w:fldCharType="separate"/></w:r>', run("One.")) + p(
        run("Two."), ended, run(" Three.")
    )
    assert text(body) == "One.\n\nTwo. Three."


def box(kind: str, checked: str, shown: str) -> str:
    return f'<w:sdt><w:sdtPr><w14:{kind}><w14:checked w14:val="{checked}"/></w14:{kind}></w:sdtPr><w:sdtContent>{run(shown)}</w:sdtContent></w:sdt>'


def test_ticked_boxes_differ_from_others() -> None:
    body = p(box("checkbox", "1", "☒"), run(" Fish "), box("checkbox", "0", "☐"), run(" Meat"))
    symbols = "".join(
        f'<w:r><w:sym w:font="Wingdings" w:char="{code}"/></w:r>' for code in ("F0FE", "F0FD", "F0A8", "F06F", "F0FC")
    )
    body += p(symbols, run("þ¨", '<w:rFonts w:ascii="Wingdings"/>'), run("☐"))
    assert text(body) == "[x] Fish [ ] Meat\n\n☑☒☐☐✓☑☐☐"


def test_the_content_of_controls_is_read_at_every_level() -> None:
    def control(content: str) -> str:
        return f"<w:sdt><w:sdtPr><w:dropDownList/></w:sdtPr><w:sdtContent>{content}</w:sdtContent></w:sdt>"

    row = f"<w:tr><w:tc>{paragraph('a')}</w:tc>{control('<w:tc>' + paragraph('b') + '</w:tc>')}</w:tr>"
    wrapped = (
        f"<w:smartTag><w:hyperlink>{run('tag')}</w:hyperlink></w:smartTag><w:customXml>{run(' and xml')}</w:customXml>"
    )
    body = control(paragraph("Block.") + control(paragraph("Inner."))) + p(
        run("In "), control(run("line")), run(" "), wrapped
    )
    assert (
        text(f"{body}<w:tbl>{control(row)}</w:tbl>")
        == "Block.\n\nInner.\n\nIn line tag and xml\n\n| a | b |\n| --- | --- |"
    )


LEGAL = [("upperRoman", "Article %1."), ("decimal", "%1.%2"), ("lowerLetter", "(%3)"), ("lowerRoman", "%4.")]


def test_clauses_have_the_numbers_that_word_gives_them() -> None:
    at = [0, 1, 1, 2, 2, 3, 1, 2, 0, 1]
    body = "".join(item(f"c{number}", level) for number, level in enumerate(at))
    labels = ["Article I.", "I.1", "I.2", "(a)", "(b)", "i.", "I.3", "(a)", "Article II.", "II.1"]
    assert text(body, numbering=numbering(*LEGAL)).split("\n\n") == [f"{one} c{n}" for n, one in enumerate(labels)]
    legal = text(body, numbering=numbering(*LEGAL, more="<w:isLgl/>"))
    assert legal.split("\n\n")[:3] == ["Article 1. c0", "1.1 c1", "1.2 c2"]
    never = text(body, numbering=numbering(*LEGAL, more='<w:lvlRestart w:val="0"/>'))
    assert never.split("\n\n")[-1] == "II.4 c9"


def test_a_level_that_is_skipped_counts() -> None:
    body = item("c0", 2) + item("c1", 1) + item("c2")
    assert text(body, numbering=numbering(*LEGAL)) == "(a) c0\n\nI.2 c1\n\nArticle II. c2"


def test_text_boxes_and_headers_are_numbered_apart() -> None:
    boxed = f"<w:r><w:pict><v:textbox><w:txbxContent>{item('in it')}</w:txbxContent></v:textbox></w:pict></w:r>"
    lists = numbering(("decimal", "%1."))
    section = '<w:sectPr><w:headerReference w:type="default" r:id="header1"/></w:sectPr>'
    body = item("a") + p(run("Box:"), boxed) + item("b") + section
    assert text(body, numbering=lists, header1=item("above")).split("\n\n") == [
        "1. above", "1. a", "Box:", "1. in it", "2. b",
    ]  # fmt: skip


def test_lists_go_on_or_begin_anew_as_they_say() -> None:
    again = '<w:num w:numId="2"><w:abstractNumId w:val="7"/></w:num>'
    anew = '<w:num w:numId="3"><w:abstractNumId w:val="7"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="8"/></w:lvlOverride></w:num>'
    other = f'<w:num w:numId="4"><w:abstractNumId w:val="7"/><w:lvlOverride w:ilvl="0">{levels(("upperLetter", "%1)"))}</w:lvlOverride></w:num>'
    lists = numbering(("decimal", "%1."), start=3, nums=again + anew + other)
    body = (
        "".join(item("x", number=number) for number in (1, 2, 3, 3, 1, 4))
        + item("none", number=0)
        + item("lost", number=99)
    )
    assert text(body, numbering=lists).split("\n\n") == [
        "3. x",
        "4. x",
        "8. x",
        "9. x",
        "10. x",
        "K) x",
        "none",
        "lost",
    ]


def test_styles_number_paragraphs_and_headings() -> None:
    styles = (
        '<w:style w:type="paragraph" w:styleId="H1"><w:name w:val="Heading 1"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="H2"><w:name w:val="heading 2"/><w:basedOn w:val="H1"/><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="C"><w:name w:val="Clause"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="D"><w:name w:val="Own"/><w:basedOn w:val="H2"/></w:style>'
    )
    linked = numbering(("decimal", "%1"), ("decimal", "%1.%2"), ("lowerLetter", "%3)")).replace(
        '<w:lvlText w:val="%3)"/>', '<w:pStyle w:val="C"/><w:lvlText w:val="%3)"/>'
    )

    def styled(name: str, content: str) -> str:
        return p(run(content), properties=f'<w:pStyle w:val="{name}"/>')

    body = (
        styled("H1", "Scope") + styled("H2", "Fish") + styled("C", "carp") + styled("C", "eel") + styled("D", "Birds")
    )
    document = read(body + styled("H1", "Rest"), styles=styles, numbering=linked)
    assert document.text == "# 1 Scope\n\n## 1.1 Fish\n\na) carp\n\nb) eel\n\n## 1.2 Birds\n\n# 2 Rest"
    assert document.title is None


def test_a_list_can_be_that_of_a_style() -> None:
    linked = '<w:abstractNum w:abstractNumId="9"><w:numStyleLink w:val="L"/></w:abstractNum><w:num w:numId="5"><w:abstractNumId w:val="9"/></w:num>'
    style = '<w:style w:type="numbering" w:styleId="L"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
    lists = numbering(("decimal", "§ %1"), nums=linked)
    assert text(item("a") + item("b", number=5), numbering=lists, styles=style) == "§ 1 a\n\n§ 2 b"


def test_bullets_are_items_and_boxes_stay_boxes() -> None:
    bullets = numbering(("bullet", "\uf0b7"), ("bullet", "o"))
    square = levels(("bullet", "\uf0a8"), more='<w:rPr><w:rFonts w:ascii="Wingdings"/></w:rPr>')
    bullets = f'<w:abstractNum w:abstractNumId="8">{square}</w:abstractNum>{bullets}<w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>'
    body = item("one") + item("inner", 1) + item("two") + paragraph("Then.") + item("to tick", number=2)
    assert text(body, numbering=bullets) == "- one\n  - inner\n- two\n\nThen.\n\n☐ to tick"


def test_a_hidden_or_deleted_paragraph_takes_no_number() -> None:
    numbered = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr><w:rPr>{}</w:rPr>'
    hidden = p(run("b", "<w:vanish/>"), properties=numbered.format("<w:vanish/>"))
    deleted = p("<w:del><w:r><w:delText>c</w:delText></w:r></w:del>", properties=numbered.format("<w:del/>"))
    assert text(item("a") + hidden + deleted + item("d"), numbering=numbering(("decimal", "%1."))) == "1. a\n\n2. d"


@pytest.mark.parametrize(
    ("number", "form", "expected"),
    [
        (27, "lowerLetter", "aa"), (53, "upperLetter", "AAA"), (1999, "upperRoman", "1999"), (449, "lowerRoman", "cdxlix"),
        (7, "decimalZero", "07"), (22, "ordinal", "22nd"), (112, "ordinal", "112th"), (3, "none", ""), (21, "chineseCounting", "二十一"),
        (10, "chineseCountingThousand", "十"), (105, "japaneseCounting", "一百〇五"), (3, "ganada", "다"), (4, "russianLower", "г"),
        (12, "decimalEnclosedCircle", "⑫"), (25, "decimalEnclosedCircle", "25"), (0, "lowerLetter", "0"), (5, "what is this", "5"),
    ],
)  # fmt: skip
def test_numbers_in_words_formats(number: int, form: str, expected: str) -> None:
    assert written(number, form) == expected


def test_a_format_of_ones_own_keeps_its_zeros() -> None:
    custom = (
        '<mc:AlternateContent><mc:Choice Requires="w14"><w:numFmt w:val="custom" w:format="001, 002, 003, ..."/></mc:Choice>'
        '<mc:Fallback><w:numFmt w:val="decimal"/></mc:Fallback></mc:AlternateContent>'
    )
    lists = numbering(("decimal", "T-%1")).replace('<w:numFmt w:val="decimal"/>', custom)
    assert text(item("a") + item("b"), numbering=lists) == "T-001 a\n\nT-002 b"


def sections(*kinds: tuple[str, str], more: str = "") -> str:
    named = [f'<w:{kind} w:type="{name}" r:id="{kind[:6]}{number}"/>' for number, (kind, name) in enumerate(kinds, 1)]
    return f"<w:sectPr>{''.join(named)}{more}</w:sectPr>"


def test_headers_and_footers_stand_once_around_the_text() -> None:
    parts = {
        "header1": paragraph("Mill Council"),
        "header2": paragraph("Confidential"),
        "header3": paragraph("Mill Council"),
        "footer4": p(
            run("Page "),
            field("PAGE", run("3")),
            run(" of "),
            f'<w:fldSimple w:instr="NUMPAGES">{run("9")}</w:fldSimple>',
        ),
        "footer5": p(run("Form 27-B, version of May"), "<w:r><w:tab/></w:r>", field("PAGE", run("3"))),
        "header6": p(run("Part "), field("STYLEREF 1", run("Scope")), run(" of the rules")),
        "footer7": paragraph("- 4 -"),
    }
    section = sections(
        ("headerReference", "default"),
        ("headerReference", "first"),
        ("headerReference", "even"),
        ("footerReference", "default"),
        ("footerReference", "first"),
    )
    body = p(run("One."), properties=section) + paragraph("Two.") + section
    assert text(body, **parts) == "Mill Council\n\nOne.\n\nTwo."
    other = (
        '<w:sectPr><w:headerReference w:type="default" r:id="header6"/><w:footerReference r:id="footer7"/></w:sectPr>'
    )
    assert text(paragraph("One.") + other, **parts) == "Part of the rules\n\nOne."
    shown = section.replace("</w:sectPr>", "<w:titlePg/></w:sectPr>")
    assert (
        text(paragraph("One.") + shown, **parts) == "Mill Council\n\nConfidential\n\nOne.\n\nForm 27-B, version of May"
    )


def test_text_boxes_are_read_once() -> None:
    inner = f"<w:txbxContent>{paragraph('In the box.')}{paragraph('Still in it.')}</w:txbxContent>"
    shape = f"<w:drawing><a:graphic><wps:txbx>{inner}</wps:txbx></a:graphic></w:drawing>"
    old = f"<w:pict><v:shape><v:textbox>{inner}</v:textbox></v:shape></w:pict>"
    both = f'<mc:AlternateContent><mc:Choice Requires="wps">{shape}</mc:Choice><mc:Fallback>{old}</mc:Fallback></mc:AlternateContent>'
    only = f'<mc:AlternateContent><mc:Choice Requires="wps">{shape}</mc:Choice></mc:AlternateContent>'
    fallback = f'<mc:AlternateContent><mc:Choice Requires="x"/><mc:Fallback>{old}</mc:Fallback></mc:AlternateContent>'
    for content in (shape, old, both, only, fallback):
        assert (
            text(p(run("Before "), f"<w:r>{content}</w:r>", run("after.")))
            == "Before after.\n\nIn the box.\n\nStill in it."
        )


def test_words_from_right_to_left_and_their_readings_are_text() -> None:
    right = f'<w:bdo w:val="rtl">{run("שלום", "<w:rtl/>")}</w:bdo><w:dir w:val="rtl">{run(" עולם", "<w:rtl/>")}</w:dir>'
    ruby = "".join(
        f"<w:r><w:ruby><w:rt>{run(above)}</w:rt><w:rubyBase>{run(base)}</w:rubyBase></w:ruby></w:r>"
        for base, above in (("東", "とう"), ("京", "きょう"))
    )
    assert text(p(right) + p(run("ここは"), ruby, run("です"))) == "שלום עולם\n\nここは東京(とうきょう)です"


def cell(content: str, properties: str) -> str:
    return f"<w:tcPr>{properties}</w:tcPr>{paragraph(content)}"


def test_merged_cells_keep_the_columns() -> None:
    down, on = '<w:vMerge w:val="restart"/>', "<w:vMerge/>"
    body = table(
        ["Post", cell("Shift", '<w:gridSpan w:val="2"/>')],
        [cell("Gate", down), "Mon", "Olsen"],
        [cell("", on), "Tue", "Pereira"],
        ["Tower", cell("all week: Quist", '<w:gridSpan w:val="2"/>')],
        [cell("Notes", '<w:gridSpan w:val="3"/>')],
    )
    assert text(body).split("\n") == [
        "| Post | Shift | Shift |", "| --- | --- | --- |", "| Gate | Mon | Olsen |", "| Gate | Tue | Pereira |",
        "| Tower | all week: Quist | all week: Quist |", "| Notes |  |  |",
    ]  # fmt: skip
    fine = table([cell("a", '<w:gridSpan w:val="3"/>'), "b"], [cell("c", '<w:gridSpan w:val="3"/>'), "d"])
    assert text(fine) == "| a | b |\n| --- | --- |\n| c | d |"
    moved = table(["a", "b"], ["c"]).replace(
        "<w:tr><w:tc><w:p><w:r><w:t>c", '<w:tr><w:trPr><w:gridBefore w:val="1"/></w:trPr><w:tc><w:p><w:r><w:t>c'
    )
    assert text(moved) == "| a | b |\n| --- | --- |\n|  | c |"


def test_lists_and_tables_in_a_cell_stay_on_its_line() -> None:
    inner = table(["Mon", "9–17"], ["Tue", "10–18"])
    several = (
        f"{paragraph('Bring:')}{item('boots')}{item('a rod', number=2)}{paragraph('It rains.')}{paragraph('Always.')}"
    )
    body = table(["Depot", "Open"], ["North", f"<w:tcPr/>{inner}"], ["South", f"<w:tcPr/>{several}"])
    letters = f'<w:abstractNum w:abstractNumId="8">{levels(("lowerLetter", "(%1)"))}</w:abstractNum>'
    lists = numbering(("bullet", "•"), nums='<w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>')
    assert text(body, numbering=letters + lists).split("\n")[2:] == [
        "| North | Mon, 9–17; Tue, 10–18 |", "| South | Bring: boots; (a) a rod; It rains. Always. |",
    ]  # fmt: skip


def test_a_frame_around_text_is_no_table() -> None:
    assert text(table([f"<w:tcPr/>{paragraph('One.')}{paragraph('Two.')}"])) == "One.\n\nTwo."
    assert text(table([f"<w:tcPr/>{heading('Left')}{paragraph('a')}", "b"])) == "# Left\n\na\n\nb"
    named = table([f"<w:tcPr/>{heading('Fish')}", f"<w:tcPr/>{heading('Price')}"], ["Carp", "4 €"])
    assert text(named) == "| Fish | Price |\n| --- | --- |\n| Carp | 4 € |"


def math(content: str) -> str:
    return text(p(run("So "), f"<m:oMath>{content}</m:oMath>", run(" holds.")))[3:-7]


def r(content: str) -> str:
    return f"<m:r><m:t>{content}</m:t></m:r>"


def fraction(over: str, under: str) -> str:
    return f"<m:f><m:num>{over}</m:num><m:den>{under}</m:den></m:f>"


def power(base: str, exponent: str) -> str:
    return f"<m:sSup><m:e>{base}</m:e><m:sup>{exponent}</m:sup></m:sSup>"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (r("x=") + fraction(r("-b±") + f"<m:rad><m:radPr><m:degHide m:val='1'/></m:radPr><m:deg/><m:e>{power(r('b'), r('2'))}{r('-4ac')}</m:e></m:rad>", r("2a")),
         "x = (-b ± sqrt(b^2 - 4ac))/(2a)"),
        (power(r("e"), r("-x+1")) + r("3"), "e^(-x + 1) 3"),
        (f"<m:sSub><m:e>{r('x')}</m:e><m:sub>{r('1')}</m:sub></m:sSub>{r('·')}{power(r('10'), r('-3'))}", "x_1 · 10^-3"),
        (f"<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{r('i=1')}</m:sub><m:sup>{r('n')}</m:sup><m:e>{r('i')}</m:e></m:nary>", "sum_(i = 1)^n i"),
        (f"<m:d><m:dPr><m:begChr m:val='['/><m:endChr m:val=')'/></m:dPr><m:e>{r('0')}</m:e><m:e>{r('1')}</m:e></m:d>", "[0| 1)"),
        (f"<m:func><m:fName>{r('sin')}</m:fName><m:e>{r('x')}</m:e></m:func>", "sin x"),
        (f"<m:func><m:fName>{r('cos')}</m:fName><m:e>{fraction(r('nx'), r('L'))}</m:e></m:func></m:oMath><m:oMath>{r('y')}", "cos((nx)/L) y"),
        (f"<m:rad><m:deg>{r('3')}</m:deg><m:e>{r('8')}</m:e></m:rad>", "cbrt(8)"),
        (f"<m:m><m:mr><m:e>{r('1')}</m:e><m:e>{r('0')}</m:e></m:mr><m:mr><m:e>{r('0')}</m:e><m:e>{r('1')}</m:e></m:mr></m:m>", "1, 0; 0, 1"),
        (fraction(fraction(r("1"), r("2")), r("∂y")), "(1/2)/∂y"),
        (r("E=m") + power(r("c"), r("2")), "E = m c^2"),
    ],
)  # fmt: skip
def test_an_equation_is_one_line(content: str, expected: str) -> None:
    assert math(content) == expected


def test_equations_on_lines_of_their_own() -> None:
    lines = f"<m:oMathPara><m:oMath>{r('a=b')}</m:oMath><m:oMath>{r('b=c')}</m:oMath></m:oMathPara>"
    assert text(p(run("Then:"), lines, run("and so on"))) == "Then:\na = b\nb = c\nand so on"


def test_hyphens_breaks_tabs_and_symbols() -> None:
    body = p(
        run("E"), "<w:r><w:noBreakHyphen/></w:r>", run("40"), "<w:r><w:softHyphen/></w:r>", run("12"), "<w:r><w:tab/></w:r>", run("7"),
        "<w:r><w:br/></w:r>", run("Name:"), "<w:r><w:tab/></w:r>", run("Olsen"), "<w:r><w:cr/></w:r>",
        '<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>', '<w:r><w:sym w:font="Arial" w:char="20AC"/></w:r>',
    )  # fmt: skip
    assert text(body) == "E-4012\t7\nName: Olsen\nα€"


def test_inserted_files_are_read_or_told() -> None:
    names = ("a_html", "b_txt", "c_docx", "d_rtf", "e_mht")
    body = paragraph("Above.") + "".join(f'<w:altChunk r:id="{name}"/>' for name in names)
    mail = b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=B\r\n\r\n--B\r\nContent-Type: text/html\r\n"
    mail += b"Content-Transfer-Encoding: quoted-printable\r\n\r\n<p>Of=20a letter.</p>\r\n--B--\r\n"
    inner = formats.docx(paragraph("Of another file.") + p(run("old", "<w:strike/>")))
    document = read(body, a_html=b"<p>Of a page.</p>", b_txt=b"Plain.", c_docx=inner, d_rtf=b"{\\rtf}", e_mht=mail)
    assert document.text == "Above.\n\nOf a page.\n\nPlain.\n\nOf another file.\n\nOf a letter."
    assert document.left_out == ("1 struck-out part", "1 inserted file")


def test_charts_and_diagrams_are_tables_and_paragraphs() -> None:
    def points(kind: str, *values: str) -> str:
        held = "".join(f'<c:pt idx="{at}"><c:v>{one}</c:v></c:pt>' for at, one in enumerate(values))
        return f"<c:{kind}><c:strCache>{held}</c:strCache></c:{kind}>"

    series = "".join(
        f"<c:ser>{points('tx', name)}{points('cat', 'May', 'June')}{points('val', *numbers)}</c:ser>"
        for name, numbers in (("Carp", "34"), ("Eel", ["4.4000000000000004"]))
    )
    title = "<c:title><a:p><a:r><a:t>Fish</a:t></a:r></a:p></c:title>"
    data = (
        "<dgm:pt><a:p><a:r><a:t>Order</a:t></a:r></a:p></dgm:pt><dgm:pt><a:p><a:r><a:t>Pay</a:t></a:r></a:p></dgm:pt>"
    )
    body = p('<w:r><w:drawing><c:chart r:id="chart1"/></w:drawing></w:r>') + p(
        '<w:r><w:drawing><dgm:relIds r:dm="diagramData1"/></w:drawing></w:r>'
    )
    document = read(
        body + p('<w:r><w:drawing><c:chart r:id="none"/></w:drawing></w:r>'),
        chart1=f"<c:chart>{title}{series}</c:chart>",
        diagramData1=data,
    )
    assert (
        document.text
        == "Fish\n\n|  | Carp | Eel |\n| --- | --- | --- |\n| May | 3 | 4.4 |\n| June | 4 |  |\n\nOrder\n\nPay"
    )
    assert document.left_out == ("1 chart",)


def test_pictures_and_objects_are_told() -> None:
    picture = '<w:r><w:drawing><a:blip r:embed="x"/></w:drawing></w:r><w:r><w:pict><v:shape><v:imagedata r:id="y"/></v:shape></w:pict></w:r>'
    objects = "".join(
        f'<w:r><w:object><v:imagedata r:id="y"/><o:OLEObject ProgID="{kind}"/></w:object></w:r>'
        for kind in ("Equation.DSMT4", "Excel.Sheet.12")
    )
    document = read(p(run("Seen."), picture, objects, field("EQ \\f(1,2)", "")))
    assert document == Parsed(None, "Seen.", (), ("2 pictures", "2 equations", "1 embedded object"))


def test_a_large_first_letter_belongs_to_its_word() -> None:
    assert (
        text(p(run("O"), properties='<w:framePr w:dropCap="drop"/>') + p(run("nce upon a time.")))
        == "Once upon a time."
    )


def test_a_table_of_contents_is_no_text() -> None:
    styles = '<w:style w:type="paragraph" w:styleId="T"><w:name w:val="toc 1"/></w:style>'
    lists = p(run("Scope"), "<w:r><w:tab/></w:r>", run("7"), properties='<w:pStyle w:val="T"/>')
    assert text(lists + heading("Scope"), styles=styles) == "# Scope"


@pytest.mark.parametrize("own", ["", "Document1", "Microsoft Word - lease.doc", "lease_v2.docx", "Untitled", " "])
def test_a_title_that_says_nothing_is_none(own: str) -> None:
    styles = '<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/></w:style>'
    titled = heading("Terms") + p(run("The lease"), properties='<w:pStyle w:val="Title"/>')
    assert read(titled, own, styles=styles).title == "The lease"
    letterhead = p(run("Mill Council"), properties='<w:pStyle w:val="Title"/>')
    section = '<w:sectPr><w:headerReference w:type="default" r:id="header1"/></w:sectPr>'
    assert read(titled + section, own, styles=styles, header1=letterhead).title == "The lease"
    assert read(heading("Terms"), own).title == "Terms"
    assert read(paragraph("Terms"), own).title is None


def test_a_file_saved_as_strict_open_xml_is_read() -> None:
    body = formats.docx(paragraph("Strict."))
    strict = formats.archive({
        name: content.replace(b"http://schemas.openxmlformats.org/wordprocessingml/2006/main", b"http://purl.oclc.org/ooxml/wordprocessingml/main")
        for name, content in formats.members(body).items()
    })  # fmt: skip
    assert read_docx(BytesIO(strict), None).text == "Strict."


def test_a_file_without_a_body_is_refused() -> None:
    with pytest.raises(FormatError, match="holds no text of Word"):
        read_docx(BytesIO(formats.archive({"a.xml": "<a/>"})), None)


def test_entities_are_refused_before_they_are_expanded() -> None:
    with pytest.raises(EntitiesForbidden):
        read_docx(BytesIO(formats.BROKEN["laughs"][1](random.Random(1))), None)


def test_elements_nested_without_end_are_refused() -> None:
    with pytest.raises(FormatError, match="30,002 elements inside each other"):
        read_docx(BytesIO(formats.BROKEN["nested"][1](random.Random(1))), None)


@pytest.fixture
def deep() -> Iterator[None]:
    """As in the process that reads documents (worker.py)."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


DEEP = 280
HOSTILE = {
    "tables in tables": "<w:tbl><w:tr><w:tc>" * DEEP + paragraph("x " * 90_000) + "</w:tc></w:tr></w:tbl>" * DEEP,
    "equations in equations": f"<w:p><m:oMath>{'<m:rad><m:e>' * DEEP}{r('a+ ' * 60_000)}{'</m:e></m:rad>' * DEEP}</m:oMath></w:p>",
    "wide cells": table(*[[cell("y" * 190, '<w:gridSpan w:val="99999999"/><w:vMerge/>'), "x"]] * 700),
    "boxes in objects": "<w:p><w:r><w:object><w:txbxContent>" * 200 + "</w:txbxContent></w:object></w:r></w:p>" * 200,
    "joined paragraphs": p(run("a"), properties="<w:rPr><w:del/></w:rPr>") * 2_500,
    "many notes": p(*[reference("footnote", number) for number in range(2_000)]),
    "fields": p("<w:r><w:fldChar w:fldCharType='begin'/></w:r>" * 4_000),
    "raised": p((up("1") + run("a")) * 1_500),
    "blanks": p(run(" \t" * 90_000 + "\n" * 5_000)),
    "alternatives": "<w:p><w:r>" + "<mc:AlternateContent><mc:Choice>" * DEEP + "<w:t>x</w:t>" + "</mc:Choice></mc:AlternateContent>" * DEEP + "</w:r></w:p>",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_no_document_takes_long(kind: str, deep: None) -> None:
    content = formats.docx(HOSTILE[kind])
    begun = time.process_time()
    read_docx(BytesIO(content), None)
    assert time.process_time() - begun < 2
