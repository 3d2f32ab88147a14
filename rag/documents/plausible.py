"""Whether a text decoded by a guess is one: how its signs stand together."""

import re
import unicodedata
from bisect import bisect_right

_SEEN = 2_000
"""Characters that are looked at."""
_BEYOND = re.compile(r"[^\x00-\x7f]")
_SCRIPTS = [
    (0x0000, "Latin"), (0x0250, ""), (0x0370, "Greek"), (0x0400, "Cyrillic"), (0x0530, ""), (0x0590, "Hebrew"),
    (0x0600, "Arabic"), (0x0700, ""), (0x0E00, "Thai"), (0x0E80, ""), (0x1E00, "Latin"), (0x1F00, "Greek"),
    (0x2000, ""), (0x2E80, "East"), (0xD7B0, ""), (0xF900, "East"), (0xFB00, "Latin"), (0xFB1D, "Hebrew"),
    (0xFB50, "Arabic"), (0xFE00, ""), (0xFE70, "Arabic"), (0xFEFF, ""), (0xFF00, "East"),
    (0xFF61, "Half"), (0xFFA0, ""),
]  # fmt: skip
"""The first code point of each run of a script; East are ideographs, kana and hangul."""
_STARTS = [start for start, _ in _SCRIPTS]
_JOINING = "\xa0\xad'’ʼ·‐‑–—"
"""Signs that stand between letters."""
_ORDINALS = "ªº"
_OPENING = "„‚¿¡"
_QUOTES = "“”„‘’‚"
_MARKED = "aăâeêioôơuưy"
"""Letters of Vietnamese that a mark of tone stands on."""
_WEST = "àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœß"
_ALPHABETS = {
    "cs": "áčďéěíňóřšťúůýž", "et": "äõöüšž", "hr": "čćđšž", "hu": "áéíóöőúüű", "is": _WEST + "ðþ",
    "lt": "ąčęėįšųūž", "lv": "āčēģīķļņšūž", "pl": "ąćęłńóśźż", "ro": "ăâîșțşţ", "sk": "áäčďéíĺľňóôŕšťúýž",
    "sl": "čšž", "tr": "âçğîıöşûüi\u0307",
}  # fmt: skip
"""The small letters beyond ASCII of languages with others than those of Western Europe."""
_LATIN = re.compile(r"[\u00aa-\u024f]")
_NATIONAL = ("gb2312", "big5", "shift_jis", "euc_kr")
"""Encodings with the usual letters of a country; of all ideographs, hit by chance, they have a third to a half."""
_MOST = 0.9


def oddness(text: str) -> float:
    """The share (0..1) of characters beyond ASCII that stand as in no text.

    Such are letters of two scripts in a word, capitals after small letters, signs inside words, lone
    letters of another alphabet among Western words, and what is no character at all.
    """
    seen = f" {text[:_SEEN]} "
    letters = [_script(one) for one in seen if one.isalpha()]
    is_western = letters.count("Latin") > 0.75 * len(letters)
    places = [match.start() for match in _BEYOND.finditer(seen)]
    return sum(_is_odd(seen, at, is_western) for at in places) / len(places) if places else 0.0


def alien(text: str, language: str | None) -> float:
    """The share (0..1) of the Latin letters beyond ASCII that are not of this language."""
    letters = [one for one in _LATIN.findall(text[:_SEEN].lower()) if one.isalpha()]
    known = _ALPHABETS.get(language or "", _WEST)
    return sum(one not in known for one in letters) / len(letters) if letters else 0.0


def _is_odd(text: str, at: int, is_western: bool) -> bool:
    before, sign, after = text[at - 1], text[at], text[at + 1]
    kind = unicodedata.category(sign)
    if kind in {"Cc", "Co", "Cn"}:
        return sign != "\x85"
    if kind.startswith("M"):
        return _script(before) == "Latin" and before.lower() not in _MARKED
    if sign.isalpha() and sign not in _ORDINALS:
        return _is_odd_letter(text, at, is_western)
    if sign in _JOINING or _script(sign) == "East":
        return False
    is_after, is_before = before.isalpha(), after.isalpha()
    if sign in _OPENING:
        return is_after or after == sign
    if sign in _QUOTES and sum(map(text.count, _QUOTES)) == 1:  # They come in pairs.
        return True
    if kind == "Sc":
        return sign == "¤" or not any(map(str.isdigit, text[max(0, at - 2) : at + 3]))
    if kind in {"So", "Sk"} and sign not in "°´":
        return is_before or (is_after and sign not in "©®™")
    return before.isalnum() and is_before and "East" not in {_script(before), _script(after)}


def _is_odd_letter(text: str, at: int, is_western: bool) -> bool:
    before, sign, after = text[at - 1], text[at], text[at + 1]
    script = _script(sign)
    beside = {_script(one) for one in (before, after) if one.isalpha()}
    if not beside <= {script, "East"} and script != "East":
        return True
    if is_western and script not in {"Latin", "East"} and not _is_in_word(text, at):
        return True
    if before.isdigit() and after.isdigit():
        return script != "East"
    if sign.isupper():
        return before.islower() or (before.isupper() and after.islower())
    return sign == "ƒ" or (sign.islower() and after.isupper())


def _is_in_word(text: str, at: int) -> bool:
    """Whether the letter is one of three or more of its script."""
    script = _script(text[at])
    around = text[max(0, at - 2) : at + 3]
    return sum(one.isalpha() and _script(one) == script for one in around) >= 3


def _script(letter: str) -> str:
    return _SCRIPTS[bisect_right(_STARTS, ord(letter)) - 1][1]


def is_wide(text: str) -> bool:
    """Whether `text`, decoded as UTF-16 or UTF-32, is in usual letters."""
    seen = text[:_SEEN]
    beyond = [one for one in seen if ord(one) >= 0x2E80]
    near = [one for one in seen if ord(one) < 0x2E80]
    sound = sum(one in "\t\n\r\f" or unicodedata.category(one) not in {"Cc", "Cn", "Co"} for one in near)
    if sound < 0.98 * len(near) or "\0" in seen:
        return False
    usual = max((len("".join(beyond).encode(name, "ignore").decode(name)) for name in _NATIONAL), default=0)
    return usual >= _MOST * len(beyond)
