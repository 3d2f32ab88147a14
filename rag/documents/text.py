"""Bytes -> clean text: encodings, the lines of JSONL, tokens and characters to remove."""

import codecs
import io
import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterator
from typing import IO

from rag.bounds import NAME
from rag.documents.parsed import FormatError, Parsed

_BOMS = {  # The long ones first: those of UTF-16 begin like those of UTF-32.
    BOM_UTF8: "utf-8-sig",
    BOM_UTF32_LE: "utf-32",
    BOM_UTF32_BE: "utf-32",
    BOM_UTF16_LE: "utf-16",
    BOM_UTF16_BE: "utf-16",
}
_MIXED_WORD = re.compile(r"[A-Za-z][\u0370-\u06ff]|[\u0370-\u06ff][A-Za-z]")
_OTHER_WORD = re.compile(r"[\u0370-\u06ff]{3,}")
_CONTROL = re.compile(r"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_ENOUGH = 200_000
"""Bytes or characters that tell an encoding."""
_CHARSET = re.compile(r"[A-Za-z0-9._:+-]{1,40}")
_NO_CHARSETS = {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
"""Encodings of names or of Python source, not of texts."""


def decode(raw: bytes, charset: str | None = None) -> str:
    """The text of `raw`, with its line ends.

    It is read by its byte order mark, as UTF-8, in `charset` (one that `known_charset` gives),
    or as chardet guesses. Raises FormatError if nothing fits.
    """
    encoding = next((name for bom, name in _BOMS.items() if raw.startswith(bom)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        loose = raw.decode(encoding, "replace")
        sound = sum(not character.isascii() for character in loose) - loose.count("\ufffd")
        if encoding != "utf-8" or sound > loose.count("\ufffd"):
            at = error.start + len(raw) - len(error.object)
            name = encoding.removesuffix("-sig").upper()
            raise FormatError(
                f"is {name} with a fault (byte {at} is 0x{raw[at]:02x}); save it anew as UTF-8"
            ) from error
        text = _decode_other(raw, error.start, charset)
    sample = text[:_ENOUGH]
    if len(_CONTROL.findall(sample)) > len(sample) / 100:
        raise FormatError("is not a text; give it the right suffix or leave it out")
    return text


def _decode_other(raw: bytes, fault: int, charset: str | None) -> str:
    """The text of `raw`, which is not UTF-8 from `fault` on."""
    if charset is not None:
        try:
            return raw.decode(charset)
        except (LookupError, ValueError):
            pass  # Servers are often wrong about it.
    import chardet

    first_line = raw.rfind(b"\n", 0, fault) + 1
    told = chardet.detect(raw[first_line : first_line + _ENOUGH])["encoding"]
    text = _decoded(raw, told or "utf-8")
    if len(_MIXED_WORD.findall(text)) > len(_OTHER_WORD.findall(text)):
        # In a short text the few accented letters of a Western language are easily taken for Greek or Cyrillic ones.
        text = _decoded(raw, "cp1252")
    return text


def _decoded(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except (LookupError, ValueError) as error:
        raise FormatError("is not a text in an encoding that could be told; save it as UTF-8") from error


def known_charset(name: str) -> str | None:
    """`name` if it is a charset that a text can have, else None."""
    try:
        if not _CHARSET.fullmatch(name) or codecs.lookup(name).name in _NO_CHARSETS:
            return None
        "a".encode(name)  # Python has encodings that do not make bytes of a text.
    except (LookupError, ValueError):
        return None
    return name


_LONGEST_LINE = 50_000_000
"""Bytes of a line of JSONL."""


def lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The numbers, from 1, and lines that are not blank; too long ones are cut."""
    number = 0
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        rest = line
        while len(rest) > _LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(_LONGEST_LINE + 1)
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        if line.strip():
            yield number, line


def json_line(line: bytes) -> Parsed:
    """The `text` and `title` of a line of JSONL. Raises FormatError with the reason."""
    if len(line) > _LONGEST_LINE:
        raise FormatError(f"is longer than {_LONGEST_LINE // 1_000_000} MB; divide its text or leave it out")
    try:
        item = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError("is not UTF-8; save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"is not JSON ({error}); correct the line or remove it") from error
    text = item.get("text") if isinstance(item, dict) else None
    if not isinstance(text, str):
        raise FormatError('is not an object with a string "text"; correct the line or remove it')
    title = item.get("title")
    return Parsed(title if isinstance(title, str) else None, text)


_TOKEN = re.compile(
    r"(?:<[|｜][^<>\n]{0,60}[|｜]>"  # ChatML, Llama 3, Phi, DeepSeek: <|im_start|>, <|eot_id|>, <｜User｜>
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]"  # Mistral
    r"|<</?SYS>>"  # Llama 2
    r"|</?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|tool_call|tool_response|think)>)\Z",  # Gemma, Qwen and others
    re.IGNORECASE,
)
_LONGEST = 64
"""Characters of the longest token."""
_TO_CLOSER = re.compile(r"[^>\]]*[>\]]|[^>\]]+")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls, but not the white ones and the next-line character
    r"\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"  # tags and variation selectors, in which text can be hidden
)
_JOINERS = re.compile(r"(?<=[\x21-\x7e])[\u200c\u200d\ufe00-\ufe0f]+(?=[\x21-\x7e])")
"""Joiners between ASCII letters; some scripts need them elsewhere."""


def clean(text: str) -> str:
    """`text` without the special tokens of chat templates, invisible characters and lone surrogates.

    Engines parse such tokens wherever they stand, and text can hide in characters that
    no font shows (Unicode TR 36; tag characters and bidirectional controls).
    """
    seen = _INVISIBLE.sub(_line_end, text if text.isascii() else replace_surrogates(text))
    return without(_TOKEN, _JOINERS.sub("", seen))


def without(token: re.Pattern[str], text: str) -> str:
    r"""`text` without any `token`, even one that is hidden in the middle of another.

    The pattern ends with > or ] and \Z. What is kept never holds a token, so a further one
    can only end with the next > or ], and one pass finds them all.
    """
    kept = io.StringIO()
    for piece in _TO_CLOSER.findall(text):
        kept.write(piece)
        end = kept.tell()
        kept.seek(max(0, end - _LONGEST))
        if found := token.search(kept.read()):
            kept.seek(end - len(found[0]))
            kept.truncate()
    return kept.getvalue()


def _line_end(match: re.Match[str]) -> str:
    return "\n" if match[0] in "\u2028\u2029" else ""


def replace_surrogates(text: str) -> str:
    """`text` with U+FFFD for lone surrogates: the undecodable bytes of a name or an argument."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def quoted(name: str) -> str:
    """The name of a file or an address for messages: quoted, cut if too long."""
    return repr(replace_surrogates(name[:NAME]) + ("…" if len(name) > NAME else ""))
