"""Bytes of many encodings and languages, and bytes that are no text."""

import time
from contextlib import suppress

import pytest

from rag.documents.encoding import Decoded, decode
from rag.documents.parsed import FormatError
from rag.documents.plausible import oddness

NOTICES = {
    "Die Bücherei schließt am Dienstag früher; Rückgabe über die Klappe am Südtor.": "cp1252 cp850 cp437 mac_roman",
    "L’écluse sera fermée dès février : « prévoyez l’itinéraire d’été ».": "cp1252 mac_roman",
    "Mañana no habrá clase de natación; el niño puede recoger su bañador.": "cp1252 iso8859_1 cp850 mac_roman",
    "Perché il traghetto è in ritardo? La nave è già più lontana.": "cp1252 iso8859_15 cp850 mac_roman",
    "Båten går från bryggan klockan åtta, även på söndagar.": "cp1252 cp850 mac_roman",
    "Książkę można oddać w środę; opłata wynosi dziesięć złotych.": "cp1250 iso8859_2 cp852",
    "Knihovna je v úterý zavřena, vraťte knížky příští týden.": "cp1250 iso8859_2 cp852",
    "A könyvtár kedden zárva tart, a könyveket szerdán őrizzük.": "cp1250 iso8859_2 cp852",
    "Kütüphane salı günü kapalıdır, kitapları çarşamba getiriniz.": "cp1254 iso8859_9",
    "Biblioteka antradienį uždaryta, knygas grąžinkite trečiadienį.": "cp1257 iso8859_13",
    "Библиотека закрыта во вторник, книги можно вернуть в среду.": "cp1251 koi8_r cp866 iso8859_5",
    "Η βιβλιοθήκη είναι κλειστή την Τρίτη, επιστρέψτε τα βιβλία την Τετάρτη.": "cp1253 iso8859_7",
    "הספרייה סגורה ביום שלישי, אפשר להחזיר ספרים ביום רביעי.": "cp1255 iso8859_8",
    "المكتبة مغلقة يوم الثلاثاء ويمكن إعادة الكتب يوم الأربعاء.": "cp1256 iso8859_6",
    "ห้องสมุดปิดวันอังคาร คืนหนังสือได้ในวันพุธ": "cp874",
    "図書館は火曜日に休館します。本は水曜日に返してください。": "shift_jis euc_jp iso2022_jp",
    "图书馆星期二闭馆，请于星期三归还图书。": "gb18030",
    "圖書館星期二休館，請於星期三歸還圖書。": "big5",
    "도서관은 화요일에 쉽니다. 책은 수요일에 돌려주세요.": "euc_kr",
}


@pytest.mark.parametrize(
    ("text", "encoding"), [(text, name) for text, names in NOTICES.items() for name in names.split()]
)
def test_a_short_notice_is_read_in_its_encoding(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == Decoded(text)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [*NOTICES, "Plain words.\r\nTwo lines.\r\n"])
def test_wide_encodings_are_told_without_a_mark(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == Decoded(text)


def test_one_wrong_byte_does_not_refuse_a_file() -> None:
    text = "Frau Müller wohnt in Köln. " * 40
    damaged = text.encode() + b"R\xfcdiger, too."
    assert decode(damaged) == Decoded(text + "R\ufffddiger, too.", 1)
    assert decode(b"\xef\xbb\xbf" + damaged) == Decoded(text + "R\ufffddiger, too.", 1)
    assert decode(text.encode()[:-1] + b"\xe2\x82") == Decoded(text[:-1] + "\ufffd\ufffd", 2)
    pumps = "The pump works. " * 40
    assert decode(pumps.encode() + b"Open \x81va\xb1lve\xb0") == Decoded(pumps + "Open \ufffdva\ufffdlve\ufffd", 3)
    assert Decoded("", 1).left_out() == ("1 byte that is no letter",)
    assert Decoded("", 1_200).left_out() == ("1,200 bytes that are no letters",)


GREEK = "Η βιβλιοθήκη είναι κλειστή την Τρίτη και ανοιχτή όλες τις άλλες ημέρες της εβδομάδας.\n"
CHINESE = "图书馆星期二闭馆，请于星期三归还图书。读者可以在门口的还书箱还书。\n"


@pytest.mark.parametrize(("text", "encoding"), [(GREEK, "cp1253"), (CHINESE, "gb18030")])
def test_nor_is_a_text_in_another_encoding_refused_or_taken_for_another(text: str, encoding: str) -> None:
    one = text.encode(encoding)
    assert decode(one * 9 + b"\xff\n" + one) == Decoded(text * 9 + "\ufffd\n" + text, 1)


def test_a_letter_that_stands_for_none_is_no_fault() -> None:
    assert decode("a\ufffdé\ufffd".encode()) == Decoded("a\ufffdé\ufffd")


def test_half_a_character_of_utf_16_is_counted() -> None:
    text = "One fine day, and others. "
    assert decode(text.encode("utf-16") + b"x") == Decoded(text + "\ufffd", 1)
    assert decode(text.encode("utf-16") + b"\x00\xd8a\x00") == Decoded(text + "\ufffda", 2)


@pytest.mark.parametrize(
    "raw",
    [bytes(range(1, 256)), b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, b"\xff\xfea", b"ab\x01\x02\x03"],
)
def test_what_is_no_text_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        decode(raw)


@pytest.mark.parametrize(
    "text",
    [
        "Perchй il cancello и chiuso?",  # two alphabets in a word
        "cafÈ and thÉ",  # capitals after small letters
        "Ma±ana",
        "caf\x8e",
        "v¢¢r",
        "Luned“ chiuso",
        "‚‚n",
        "31ø2",
    ],
)
def test_what_stands_as_in_no_text_is_odd(text: str) -> None:
    assert oddness(text) > 0.4


@pytest.mark.parametrize(
    "text",
    [
        *NOTICES, "plain", "“Yes,” she said – ‘no’ isn’t enough… €3.20, 20 °C, 5 µm, 1ª, №7, © 2031", "在PC上、xとyの値（任意）",
        "Größe: 1½ m², naïve, ÅNGSTRÖM", "«Voilà» — „Gut“ · l·l", "Ελληνικά and Кириллица in one text",
    ],
)  # fmt: skip
def test_what_people_write_is_not(text: str) -> None:
    assert oddness(text) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit", ["ф".encode("cp1251"), b"\xa4\xe9", b"a\xd0\n", b"\x81\x40", b"\x1b$B", b"a\0", b"\x01\x4e", b"\xd8\0"]
)
def test_the_time_of_guessing_grows_with_the_text(unit: bytes) -> None:
    began = time.process_time()
    with suppress(FormatError):
        decode(unit * (200_000 // len(unit)))
    assert time.process_time() - began < 2
