"""The templates, and the one abstention sentence."""

from langchain_core.prompts import ChatPromptTemplate

ABSTENTION = "The documents do not answer this question."

_READ = ("system", "You answer questions about a text.\n\nText:\n{text}")
"""The same beginning for every prompt over the same text, so that the engine reads it once."""

ANSWER = ChatPromptTemplate.from_messages(
    [
        _READ,
        ("user", "{excerpts}Question: {question}\n\nAnswer in one or two complete sentences, only from the text."),
    ]
)

CHECK = ChatPromptTemplate.from_messages(
    [
        *ANSWER.messages,
        ("assistant", "{answer}"),
        ("user", "Is this answer stated in the text, and does it answer the question? Answer Yes or No."),
    ]
)

CONDENSE = ChatPromptTemplate.from_messages(
    [
        _READ,
        (
            "user",
            "A conversation about the text:\n{conversation}\n\nRewrite the last question so that it can be understood "
            "without the conversation: put the names in place of words such as he, it, they, that. Do not answer it. "
            "Write only the question.\n\nLast question: {question}",
        ),
    ]
)
