"""Runs of data in texts."""

import base64
import random
import textwrap
import time

import pytest

from rag.documents.blobs import without_data

DATA = base64.b64encode(random.Random(0).randbytes(30_000)).decode()


def test_a_picture_in_markdown_is_left_out_and_counted() -> None:
    text = f"# Lamp\n\nIt burns for 9 hours.\n\n![lamp](data:image/png;base64,{DATA})\n\nMade in Gent."
    shorter = "# Lamp\n\nIt burns for 9 hours.\n\n![lamp]()\n\nMade in Gent."
    assert without_data(text) == (shorter, ("1 part that is no text (40 kB)",))


@pytest.mark.parametrize(
    ("text", "shorter"),
    [
        (f"key: {DATA} end", "key:  end"),
        (f'{{"font": "{DATA}"}}', '{"font": ""}'),
        (f"a {DATA.replace('+', '-').replace('/', '_')} b", "a  b"),
        (f"a {DATA.encode().hex()} b", "a  b"),
        (f"url('data:image/svg+xml,%3Csvg{'%20d' * 100}%3E') x", "url('') x"),
        ("-----BEGIN KEY-----\n" + textwrap.fill(DATA[:1_001] + "==", 64) + "\n-----END KEY-----", None),
        ("> " + "\r\n> ".join(textwrap.wrap(DATA[:760], 76)) + "\r\n\r\nEnd.", "\r\n\r\nEnd."),
    ],
)
def test_data_is_left_out(text: str, shorter: str | None) -> None:
    kept, told = without_data(text)
    assert kept == (shorter or "-----BEGIN KEY-----\n\n-----END KEY-----")
    assert len(told) == 1 and told[0].startswith("1 part that is no text (")


def test_several_parts_are_counted_together() -> None:
    assert without_data(f"a {DATA} b {DATA} c")[1] == ("2 parts that are no text (80 kB)",)
    assert without_data(f"a {DATA * 30} b")[1] == ("1 part that is no text (1.2 MB)",)
    assert without_data(f"a {DATA[:600]} b")[1] == ("1 part that is no text (600 bytes)",)


@pytest.mark.parametrize(
    "text",
    [
        "thecatsleepsonthemat" * 100,
        "字" * 5_000,
        "-" * 1_000,
        "https://example.org/" + "the-pump-house/of_the_town/" * 30,
        '{"name":"Willow","capacity":2400,"key":"Marek"},' * 100,
        "\n".join(f"{base64.b64encode(bytes([n] * 45)).decode()}  file-{n}.txt" for n in range(30)),
        "commit 4f0e2a9b1c3d5e7f8a6b4c2d0e1f3a5b7c9d8e6f",
        "use data:image/gif;base64,R0lGOD as a start",
        "x" * 2_000,
    ],
)
def test_words_paths_and_lists_stay(text: str) -> None:
    assert without_data(text) == (text, ())


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["data:", "data:a;", "data:,", "aB3+", "a" * 499 + " ", "A" * 64 + "\n", "aB3x" * 16 + "\n", ">", " "]
)
def test_the_time_of_looking_for_data_grows_with_the_text(unit: str) -> None:
    began = time.process_time()
    without_data(unit * (200_000 // len(unit)))
    assert time.process_time() - began < 1
