"""What the page's script sends beside a typed question, looked at before anything is done with it."""

import re
from typing import Literal

import gradio as gr
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rag import bounds

_CONVERSATION = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Click(BaseModel):
    """What a click in the panes asks for; what it says nothing of is empty."""

    model_config = ConfigDict(strict=True, frozen=True)

    action: str = Field("", max_length=20)
    turn: int | None = Field(None, ge=1, le=1_000_000)
    question: str = Field("", max_length=bounds.TURN)
    conversation: str = Field("", pattern=rf"^(?:{_CONVERSATION.pattern})?$")
    verdict: Literal["", "good", "bad"] = ""
    reason: str = Field("", max_length=bounds.TITLE)
    comment: str = Field("", max_length=bounds.TURN)
    right: str = Field("", max_length=bounds.TURN)


def click_of(event: gr.EventData) -> Click | None:
    """What an event asks for; None where the page's script never sent it."""
    try:
        return Click.model_validate(event._data or {})
    except ValidationError:
        return None


def conversation_id(given: str | None) -> str:
    """The identity of a conversation, empty where what is given cannot be one."""
    return given if given and _CONVERSATION.fullmatch(given) else ""
