"""The templates, and the one abstention sentence."""

from langchain_core.prompts import ChatPromptTemplate

ABSTENTION = "The documents do not answer this question."

_READ = ("system", "You answer questions about a text.\n\nText:\n{text}")
"""The same beginning for every prompt over the same text, so that the engine reads it once."""

_ASKED = "{excerpts}Question: {question}\n\n"

CHECK = ChatPromptTemplate.from_messages(
    [_READ, ("user", _ASKED + "Does the text state the answer to this question? Answer Yes or No.")]
)

ANSWER = ChatPromptTemplate.from_messages(
    [
        _READ,
        (
            "user",
            _ASKED + "Answer in one or two complete sentences, only from the text. Name all that is asked for.",
        ),
    ]
)

CONFIRM = ChatPromptTemplate.from_messages(
    [
        (
            "user",
            "Text: {cited}\n\nQuestion: {question}\nAnswer: {answer}\n\n"
            "Is this the right answer to the question, according to the text? Answer Yes or No.",
        )
    ]
)
