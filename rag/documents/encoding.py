"""Bytes -> text: its encoding, and what becomes of bytes that do not fit."""

import codecs
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile

from rag.documents.parsed import FormatError
from rag.documents.plausible import alien, is_wide, oddness

_MARKS = {  # The long ones first: those of UTF-16 begin like those of UTF-32.
    BOM_UTF8: "utf-8",
    BOM_UTF32_LE: "utf-32-le",
    BOM_UTF32_BE: "utf-32-be",
    BOM_UTF16_LE: "utf-16-le",
    BOM_UTF16_BE: "utf-16-be",
}
_SHIFTED = ("iso2022_jp_2", "iso2022_jp_ext", "iso2022_kr")
_SHIFT = re.compile(rb"\x1b\$[@ABC()]")
_SOUGHT = (
    "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874",
    "cp932", "gb18030", "big5hkscs", "cp949", "euc_jis_2004", "koi8-r", "koi8-u", "iso8859-1", "iso8859-15",
    "iso8859-2", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-13", "cp866", "cp850",
    "cp437", "cp852", "mac-roman", "cp737", "mac-cyrillic", "cp775", "cp857", "cp862",
)  # fmt: skip
"""The encodings that are looked for, the usual ones first. With those of mainframes, tis-620, iso8859-4 and -16 and
others that hardly a file is in, chardet is wrong about more short texts."""
_EQUAL = 0.999
"""Of chardet's confidence in one encoding; with so much, the more usual one of two is taken."""
_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_BAD = re.compile("[\udc80-\udcff]")
_ENOUGH = 200_000
"""Bytes or characters that tell a text from something else."""
_EVIDENCE = 16_000
"""Bytes of lines with letters beyond ASCII that tell an encoding."""
_HALF = 100
"""Bytes of half a text that tell its encoding, if the other half has a fault."""
_FEW = 0.01
"""Share of a file that may be bytes that fit no encoding."""
_MOST_ODD = 0.12
"""What `oddness` may be of a text that was decoded by a guess."""
_CHARSET = re.compile(r"[A-Za-z0-9._:+-]{1,40}")
_NO_CHARSETS = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
"""Encodings of names or of Python source, not of texts."""


@dataclass(frozen=True)
class Decoded:
    """A text with its line ends.

    `faults` counts the bytes of its file that are no letters; here they are U+FFFD.
    """

    text: str
    faults: int = 0

    def left_out(self) -> tuple[str, ...]:
        """The faults in words, if there are any."""
        if not self.faults:
            return ()
        return ("1 byte that is no letter" if self.faults == 1 else f"{self.faults:,} bytes that are no letters",)


def decode(raw: bytes, charset: str | None = None) -> Decoded:
    """The text of `raw`.

    It is read by its byte order mark, as UTF-8, UTF-16 or UTF-32, in `charset` (one that `known_charset`
    gives), or as chardet guesses if that makes words. Raises FormatError if nothing fits.
    """
    decoded = _marked(raw) or _unicode(raw) or _named(raw, charset) or _guessed(raw) or _ascii(raw)
    if decoded is None:
        raise FormatError("is not a text in an encoding that could be told; save it as UTF-8")
    sample = decoded.text[:_ENOUGH]
    if len(_CONTROL.findall(sample)) > len(sample) / 100:
        raise FormatError("is not a text; give it the right suffix or leave it out")
    return decoded


def _marked(raw: bytes) -> Decoded | None:
    """The text by its byte order mark, if it has one."""
    for mark, encoding in _MARKS.items():
        if raw.startswith(mark):
            decoded = _loose(raw[len(mark) :], encoding)
            if decoded.faults * 10 > len(decoded.text.replace("\ufffd", "")):
                name = encoding.removesuffix("-le").removesuffix("-be").upper()
                raise FormatError(f"is {name} with faults in many places; save it anew as UTF-8")
            return decoded
    return None


def _loose(raw: bytes, encoding: str) -> Decoded:
    """The text in this encoding of Unicode, with U+FFFD for what is no letter."""
    with suppress(UnicodeDecodeError):
        return Decoded(raw.decode(encoding))
    if encoding == "utf-8":
        text = raw.decode(encoding, "surrogateescape")
        return Decoded(_BAD.sub("\ufffd", text), len(_BAD.findall(text)))
    unit = len("a".encode(encoding))
    rest = len(raw) % unit
    whole = raw[: len(raw) - rest]
    text = whole.decode(encoding, "replace")
    wrong = text.count("\ufffd") - whole.decode(encoding, "ignore").count("\ufffd")
    return Decoded(text + "\ufffd" * bool(rest), wrong * unit + rest)


def _unicode(raw: bytes) -> Decoded | None:
    """The text if it is UTF-8, with faults perhaps, or wide without a mark."""
    decoded = _loose(raw, "utf-8")
    has_nul = b"\0" in raw[:_ENOUGH]
    if not decoded.faults and not has_nul:
        return _shifted(raw) or decoded
    if (has_nul or _CONTROL.search(decoded.text[:_ENOUGH])) and (wide := _wide(raw)):
        return wide
    sound = len(decoded.text) - len(decoded.text.encode("ascii", "ignore")) - decoded.faults
    return decoded if sound > decoded.faults or not decoded.faults else None


def _wide(raw: bytes) -> Decoded | None:
    """The text if it is UTF-16 or UTF-32 without a mark."""
    found = []
    for encoding in list(_MARKS.values())[1:]:
        with suppress(UnicodeDecodeError):
            if is_wide(text := raw.decode(encoding)):
                found.append(text)
    # In the wrong order of bytes it would be spread over more of Unicode.
    texts = sorted(found, key=lambda text: len({ord(one) >> 8 for one in text[:_EVIDENCE]}))
    return Decoded(texts[0]) if texts else None


def _shifted(raw: bytes) -> Decoded | None:
    """The text if it is Japanese or Korean in bytes of ASCII."""
    if _SHIFT.search(raw[:_ENOUGH]):
        for encoding in _SHIFTED:
            with suppress(UnicodeDecodeError):
                return Decoded(raw.decode(encoding))
    return None


def _named(raw: bytes, charset: str | None) -> Decoded | None:
    with suppress(LookupError, ValueError):  # Servers are often wrong about it.
        return Decoded(raw.decode(charset)) if charset else None
    return None


def _guessed(raw: bytes) -> Decoded | None:
    """The text in the likeliest encoding, by chardet, that makes words of it."""
    evidence = _evidence(raw)
    middle = max(evidence.rfind(sign, 0, len(evidence) // 2) for sign in (b"\n", b" "))
    found: list[tuple[float, Decoded]] = []
    for rank, name in _likeliest(evidence):
        with suppress(ValueError):
            found.append((rank, Decoded(raw.decode(name))))
            break
    # Of a text with a fault, which its own encoding does not fit any more, one half at least is sound.
    for half in [evidence[:middle], evidence[middle:]] if middle > _HALF else []:
        for rank, name in _likeliest(half)[:1]:
            text = raw.decode(name, "replace")
            faults = text.count("\ufffd")
            if 0 < faults <= max(1, _FEW * len(raw) / 10) and oddness(text) <= _MOST_ODD:
                found.append((rank, Decoded(text, faults)))
    return max(found, key=lambda one: one[0])[1] if found else None


def _likeliest(evidence: bytes) -> list[tuple[float, str]]:
    """The encodings that make words of it, with their ranks, the likeliest first."""
    import chardet

    told = chardet.detect_all(evidence, ignore_threshold=True, include_encodings=_SOUGHT, compat_names=False)
    ranks: dict[str, tuple[float, float]] = {}
    for one in told:
        with suppress(ValueError):
            if (name := one["encoding"]) in _SOUGHT:
                odd = oddness(text := evidence.decode(name))
                ranks[name] = one["confidence"] * (1 - odd) ** 4 * (1 - alien(text, one["language"]) / 2), odd
    enough = max((rank for rank, _ in ranks.values()), default=0.0) * _EQUAL
    names = sorted(ranks, key=lambda name: (-min(ranks[name][0], enough), _SOUGHT.index(name)))
    return [(ranks[name][0], name) for name in takewhile(lambda name: ranks[name][1] <= _MOST_ODD, names)]


def _evidence(raw: bytes) -> bytes:
    """The first lines that are not in ASCII alone."""
    lines: list[bytes] = []
    size = 0
    for line in raw[:_ENOUGH].splitlines(keepends=True) or [raw]:
        if not line.isascii():
            lines.append(line)
            size += len(line)
        if size > _EVIDENCE:
            break
    return b"".join(lines) or raw[-_ENOUGH:]


def _ascii(raw: bytes) -> Decoded | None:
    """The text with few bytes that fit nothing."""
    decoded = _loose(raw, "utf-8")
    return decoded if decoded.faults <= max(1, _FEW * len(raw)) else None


def known_charset(name: str) -> str | None:
    """`name` if it is a charset that a text can have, else None."""
    try:
        if not _CHARSET.fullmatch(name) or codecs.lookup(name).name in _NO_CHARSETS:
            return None
        "a".encode(name)  # Python has encodings that do not make bytes of a text.
    except (LookupError, ValueError):
        return None
    return name
