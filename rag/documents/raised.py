"""Raised and lowered text in a line of plain text: exponents, notes, ordinals, fractions."""

import re

_SIGNS = {"TM": "™", "SM": "℠", "(R)": "®", "(TM)": "™"}
_NOTE = re.compile(r"(?:\d{1,3}|[A-Za-z])(?:\s?[,;–-]\s?(?:\d{1,3}|[A-Za-z]))*")
_CHARGE = re.compile(r"\d?[+−–-]")
_EXPONENT = re.compile(r"[+−–-]?[\w.,]+")
_WORD = re.compile(r"[^\W\d_]{2,}[.]?")
_ROMAN = re.compile(r"[IVXLC]+")
_ABBREVIATION = re.compile(r"[MDSNn]")
_ABBREVIATED = frozenset({"r", "e", "o", "me", "re", "te", "le", "lle", "os", "gr"})
_UNIT = frozenset(
    {"mm", "cm", "dm", "km", "µm", "μm", "nm", "ft", "yd", "kg", "hm", "mi", "мм", "см", "дм", "км", "кв"}
)
"""Units that are no words; single letters count as variables anyway."""
_SEPARATED = re.compile(r"\d{1,3}(?:[.,'’]\d{1,3})+")
_CURRENCIES = "$€£¥₹"
_CURRENCY_AFTER = re.compile(r"\s?(?:[$€£¥₹]|zł|Kč|kr\b|Fr\b|Ft\b|lei\b)")
_MINUTES = frozenset({"00", "15", "30", "45"})
_OPERATOR = "=+×·*/^−(<>≈≤≥"
_VOWELS = frozenset("aeiouyäöüAEIOUYÄÖÜ")
_DASH = re.compile("[–—-]")
_NO_WORD = re.compile(r"\W+")
_NO_NUMBER = re.compile(r"[^\d.,'’]")
_NO_LETTER = re.compile(r"[\W_]")
_ISOTOPE = re.compile(r"[A-Z][a-z]?(?![^\W_])")
_NEAR = 40
"""Characters on each side that are looked at."""


def raised(before: str, mark: str, after: str, note: bool = False, noted: frozenset[str] = frozenset()) -> str:
    """What stands in a line of text for the raised `mark` between `before` and `after`.

    `note` tells that it is a link or marked as a note's reference; `noted` are the marks that
    begin notes in the same document. An exponent becomes ^6, a note's reference [1]; ordinals,
    signs and the cents of a price stay what they are.
    """
    before, mark, after = before[-_NEAR:], mark.strip(), after[:_NEAR]
    if not any(letter.isalnum() for letter in mark):
        return mark
    if mark in _SIGNS:
        return _SIGNS[mark]
    if mark[0] + mark[-1] in {"[]", "()"}:
        return f"[{mark[1:-1]}]" if note else mark
    if note:
        return f"[{mark}]"
    spaced = before[-1:].isspace()
    base = before.split()[-1] if before.split() else ""
    if mark.isalpha():
        return _raised_letters(base if not spaced else "", mark)
    if not base or spaced:
        return _raised_alone(before, mark, after)
    return _raised_figures(before, base, mark, after, noted)


def lowered(before: str, mark: str) -> str:
    """What stands for the lowered `mark` behind `before`: H2O, but 101_2 and a_(n+1)."""
    mark = mark.strip()
    if mark.isalnum() or not before[-1:].isalnum():
        return f"_{mark}" if mark.isdigit() and before[-1:].isdigit() else mark
    return f"_({mark})" if _is_formula(mark) else f" {mark}"


def _raised_letters(base: str, mark: str) -> str:
    """Ordinals and abbreviations (1st, 2e, Mme, XXe) are joined; x^n is a power."""
    if not base or (base[-1].isdigit() and (len(mark) > 1 or mark in "aeoºª")):
        return mark
    word = base.lstrip("([{\"'“‘").split("-")[-1]
    if base[-1].isdigit() or (len(word) == 1 and word.isalpha()):
        abbreviated = _ABBREVIATION.fullmatch(word) and mark in _ABBREVIATED
        return mark if abbreviated or len(mark) > 2 else f"^{mark}"
    if len(mark) == 1 and not _ROMAN.fullmatch(word):
        return f"[{mark}]"
    return mark if len(mark) <= 3 else f" {mark}"


def _raised_alone(before: str, mark: str, after: str) -> str:
    """A mark behind a blank: it begins a note, or is an isotope or exponent."""
    if before.rstrip().endswith(("× 10", "·10", "x 10", "×10", "* 10", "· 10")):
        return _power(mark)
    if _ISOTOPE.match(after) or not _NOTE.fullmatch(mark):
        return mark
    return f"[{mark}]" if before.strip() or after[:1].isspace() else f"[{mark}] "


def _raised_figures(before: str, base: str, mark: str, after: str, noted: frozenset[str]) -> str:
    last = base[-1]
    if last.isdigit() and (cents := _joined_to_number(before, base, mark, after)):
        return cents
    if mark[0] in "+−–-" or _CHARGE.fullmatch(mark):
        return _power(mark)
    if not _NOTE.fullmatch(mark):
        return _power(mark) if _is_formula(mark) else f" {mark}"
    if not mark.isdigit():
        return f"[{mark}]"
    sure, likely = _is_power(before, base, after)
    return _power(mark) if sure or (likely and mark not in noted) else f"[{mark}]"


def _is_formula(mark: str) -> bool:
    return len(mark) <= 12 and not any(len(word) > 3 for word in _NO_WORD.split(mark))


def _power(mark: str) -> str:
    mark = mark.replace("−", "-").replace("–", "-")
    return f"^{mark}" if _EXPONENT.fullmatch(mark) or _CHARGE.fullmatch(mark) else f"^({mark})"


def _joined_to_number(before: str, base: str, mark: str, after: str) -> str:
    """Cents of a price, minutes, or the fraction of a number; else empty."""
    digits = _DASH.split(base)[-1].lstrip(f"(~–-{_CURRENCIES}")
    if mark[0] in ".,:" and mark[1:].isdigit():
        return mark
    if "/" in mark or "⁄" in mark:
        return f" {mark}" if digits.isdigit() else ""
    if len(mark) != 2 or not mark.isdigit() or not digits.isdigit():
        return ""
    if before[: -len(digits)].rstrip()[-1:] in set(_CURRENCIES) or _CURRENCY_AFTER.match(after):
        return f".{mark}"
    clock = len(digits) <= 2 and int(digits) <= 24 and mark in _MINUTES
    return f":{mark}" if clock and (mark == "00" or digits not in {"2", "10"}) else ""


def _is_power(before: str, base: str, after: str) -> tuple[bool, bool]:
    """Whether digits behind `base` are surely, and likely, its exponent."""
    operator = before[: len(before) - len(base)].rstrip()[-1:] in set(_OPERATOR) and len(before.split()) > 1
    operator = operator or after.lstrip()[:1] in set("=+×·*/^−")
    last = base[-1]
    if last.isdigit():
        number = _NO_NUMBER.split(base)[-1].lstrip(".,'’")
        if number == "10":
            return True, True
        if _SEPARATED.fullmatch(number) or len(number) > 2:
            return operator and len(number) < 4, operator
        return operator, len(number) == 1
    if last.isalpha():
        word = _NO_LETTER.split(base)[-1].lstrip("0123456789")
        counted = word != base or before[: len(before) - len(base)].rstrip()[-1:].isdigit()
        if word in _UNIT:
            return True, True
        formula = len(word) <= 3 and word.islower() and not set(word) & _VOWELS
        return (len(word) == 1 and (operator or counted)) or (word == "in" and counted), len(word) == 1 or formula
    if last in ")]":
        inside = base[base.rfind("(") + 1 : -1] if "(" in base else before[before.rfind("(") + 1 : -1]
        short = not _WORD.search(inside)
        return short and any(sign in inside for sign in "+-−×·*/"), short and bool(inside) and not inside.isdigit()
    return False, False
