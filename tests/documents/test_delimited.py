import csv
from io import BytesIO, StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.documents.delimited import read_delimited
from rag.documents.parsed import FormatError

WHOLE = "| name | price |\n| --- | --- |\n| Saw | 4.50 |\n| Drill | 12 |"


def text_of(content: str | bytes) -> str:
    return read_delimited(BytesIO(content if isinstance(content, bytes) else content.encode()), None).text


@pytest.mark.parametrize(
    "content",
    [
        "name,price\nSaw,4.50\nDrill,12\n",
        "name;price\r\nSaw;4.50\r\n\r\nDrill;12",
        "name\tprice\nSaw\t4.50\nDrill\t12",
        "name|price\nSaw|4.50\nDrill|12",
        '"name","price"\n"Saw","4.50"\n"Drill","12"\n',
        "name;price\nSaw;4.50\nDrill;12".encode("utf-16"),
    ],
)
def test_rows_become_those_of_a_table(content: str | bytes) -> None:
    assert text_of(content) == WHOLE


def test_a_cell_holds_commas_lines_and_bars_and_may_be_empty() -> None:
    text = text_of('name,note,price\nSaw,"new,\nsharp | long",\n,,2\n')
    assert text.splitlines()[2:] == [r"| Saw | new, sharp \| long | |", "| | | 2 |"]


def test_commas_in_cells_separate_nothing_where_semicolons_do() -> None:
    text = text_of("name;note\nSaw;old, but good\nDrill;new, strong, red\n")
    assert text.splitlines()[2] == "| Saw | old, but good |"


def test_a_title_over_the_table_stays() -> None:
    read = read_delimited(BytesIO(b"Prices of 2026\nname,price\nSaw,4.50\nDrill,12\n"), None)
    assert (read.title, read.text) == ("Prices of 2026", f"Prices of 2026\n\n{WHOLE}")


def test_a_file_of_one_column_is_a_plain_text() -> None:
    assert text_of("Saw\nDrill\n") == "Saw\nDrill\n"


def test_what_cannot_be_divided_is_refused() -> None:
    with pytest.raises(FormatError, match="is no table of values with delimiters"):
        text_of("a,b\n" * 10 + 'c,"' + "x" * 200_000)


@given(st.lists(st.lists(st.text("ab1 ,;|\"'\n\t", max_size=8), min_size=2, max_size=4), min_size=2, max_size=6))
def test_no_row_loses_a_letter(rows: list[list[str]]) -> None:
    file = StringIO()
    csv.writer(file).writerows(rows)
    text = text_of(file.getvalue())
    for letter in "ab1":
        assert text.count(letter) == sum(cell.count(letter) for row in rows for cell in row)
