"""One tap rates an answer; after a thumb down the reader may say why."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import gradio as gr

from rag.bounds import COMMENT
from rag.page.kept import TOLD, Kept, Turns, page_owner, tried
from rag.page.markup import shorten
from rag.server.gradio_calls import Click, click_of, conversation_id
from rag.server.records import REASONS, Rating, Turn, history_of

_ASKED = 60
"""Characters of the question that is shown to say which answer is meant."""
_VERDICTS: dict[object, Literal["", "good", "bad"]] = {True: "good", False: "bad"}


@dataclass(frozen=True)
class Complaint:
    """What a reader can say of a bad answer.

    `boxes` are the number of its turn, the reason, a comment, the right answer.
    """

    group: gr.Column
    boxes: tuple[gr.Number, gr.Radio, gr.Textbox, gr.Textbox]
    send: gr.Button
    leave: gr.Button


def complaint_boxes() -> Complaint:
    """The boxes in the current gr.Blocks, which are not seen at first."""
    with gr.Column(visible=False, elem_id="complaint") as group:  # A gr.Group would have its id twice.
        turn = gr.Number(visible="hidden", label="Turn")
        reason = gr.Radio([(one.capitalize(), one) for one in REASONS], label="What is bad about it? (optional)")
        comment = gr.Textbox(label="Comment", max_length=COMMENT)
        right = gr.Textbox(label="The right answer, if you know it", max_length=COMMENT)
        with gr.Row():
            send = gr.Button("Send", size="sm", variant="primary", min_width=80)
            leave = gr.Button("Close", size="sm", min_width=80)
    return Complaint(group, (turn, reason, comment, right), send, leave)


def closed() -> tuple[Any, ...]:
    """The values of group and boxes when nothing is asked any more."""
    return gr.Column(visible=False), None, None, "", ""


@dataclass(frozen=True)
class Ratings:
    """The events of ratings."""

    kept: Kept

    def rate(self, identity: str, request: gr.Request, event: gr.LikeData) -> tuple[Any, ...]:
        """A thumb up or down, kept at once.

        After one down the reader is asked why. Gives the group, the number of the turn and the reason.
        """
        owner, identity = page_owner(request), conversation_id(identity)
        turns, at = self.kept.turns(owner, identity), turn_at(event.index)
        if not 0 <= at < len(turns) or not turns[at].answer or self.kept.is_hindered(owner, identity):
            return (gr.skip(),) * 3
        verdict = _VERDICTS.get(event.liked, "")
        self._rated(owner, identity, turns, turns[at], Click(verdict=verdict))
        what = f"What is bad about the answer to “{shorten(turns[at].question, _ASKED)}”? (optional)"
        return gr.Column(visible=verdict == "bad"), turns[at].number, gr.Radio(label=what)

    def complain(
        self, identity: str, number: float | None, reason: str | None, comment: str | None, right: str | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:  # fmt: skip
        """What a reader says of a bad answer, kept with its rating."""
        owner, identity = page_owner(request), conversation_id(identity)
        turns = self.kept.turns(owner, identity)
        turn = next((one for one in turns if one.number == number), None)
        if self.kept.is_hindered(owner, identity):
            return (gr.skip(),) * 5
        words = {"reason": reason or "", "comment": comment or "", "right": right or ""}
        said = click_of(gr.EventData(None, {"verdict": "bad", **words}))
        if turn and said:
            self._rated(owner, identity, turns, turn, said)
        return closed()

    def _rated(self, owner: str, identity: str, turns: Turns, turn: Turn, wanted: Click) -> None:
        rated, store = replace(turn, rated=wanted.verdict), self.kept.store
        before = tuple(history_of([one for one in turns if one.number < turn.number]))
        if rated.rated:
            why = wanted.reason, wanted.comment, wanted.right
            rating = Rating(identity, rated.number, rated.rated == "good", *why, rated, before)
            kept = tried(store.rate, owner, rating)
        else:
            kept = tried(store.unrate, owner, identity, turn.number)
        grown = tuple(rated if one is turn and kept else one for one in turns)
        if tried(store.write, owner, identity, grown) and kept and wanted.reason + wanted.comment + wanted.right:
            gr.Info("Thank you. It is stored.", duration=TOLD)


def turn_at(index: Any) -> int:
    """The place of the turn that a message belongs to.

    A message of several parts has two numbers.
    """
    first = index[0] if isinstance(index, list | tuple) and index else index
    return first // 2 if isinstance(first, int) else -1
