"""Taking out of a text what no reader sees but a model obeys: template tokens and invisible characters."""

import io
import re

from rag.bounds import NAME

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
"""Not where a script needs them."""


def clean(text: str) -> str:
    """`text` without the special tokens of chat templates, invisible characters and lone surrogates.

    Engines parse such tokens wherever they stand, and text can hide in characters that
    no font shows (Unicode TR 36; tag characters and bidirectional controls).
    """
    seen = _INVISIBLE.sub(_white, text if text.isascii() else replace_surrogates(text))
    return without(_TOKEN, _JOINERS.sub("", seen))


def without(token: re.Pattern[str], text: str) -> str:
    r"""`text` without any `token`, also where one is hidden in the middle of another.

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


def _white(match: re.Match[str]) -> str:
    return "\n" if match[0] in "\u2028\u2029" else ""


def replace_surrogates(text: str) -> str:
    """`text` with U+FFFD for what no file could hold: the undecodable bytes of a name or an argument."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def quoted(name: str) -> str:
    """The name of a file or an address as messages show it: in quotation marks, and not endless."""
    return repr(replace_surrogates(name[:NAME]) + ("…" if len(name) > NAME else ""))
