"""Texts as they are taken in: the lines of JSONL, tokens and characters to remove."""

import io
import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import IO

from rag.bounds import NAME
from rag.documents.blobs import without_data
from rag.documents.parsed import FormatError, Parsed

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
    text, left_out = without_data(text)
    return Parsed(title if isinstance(title, str) else None, text, left_out=left_out)


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
