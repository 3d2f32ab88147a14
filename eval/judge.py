"""An optional second opinion on answers: the chat model compares them with the reference."""

import re
from dataclasses import replace

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from tqdm import tqdm

from eval.record import Record
from rag.errors import ModelError
from rag.models.chat_model import explained
from rag.settings import Settings

PROMPT = """\
Question: {question}
Reference answer: {reference}
Answer to judge: {text}
Does the answer to judge say what the reference answer says? Reply with one word, yes or no."""


def judge(settings: Settings, model: BaseChatModel, records: list[Record], name: str = "chat") -> list[Record]:
    """The records with `judged` set; it stays None where the model failed.

    Only an answer to an answerable question is put to the model. The rest is a matter of
    abstaining, and the verdict on it is `correct`.
    """
    chain = ChatPromptTemplate.from_messages([("human", PROMPT)]) | model | StrOutputParser()
    return [
        replace(record, judged=_verdict(settings, chain, record))
        for record in tqdm(records, f"judging {name}", unit="answer")
    ]


def _verdict(settings: Settings, chain: Runnable[dict[str, str], str], record: Record) -> bool | None:
    if not record.question.answerable or record.abstained or record.error is not None:
        return record.correct
    reference = " / ".join(record.question.answers)
    try:
        with explained(settings):
            reply = chain.invoke({"question": record.question.question, "reference": reference, "text": record.text})
    except ModelError:
        return None
    return re.match(r"\W*yes\b", reply, re.IGNORECASE) is not None
