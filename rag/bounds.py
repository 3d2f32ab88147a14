"""How much text from outside is taken, measured before anything else reads it."""

QUESTION = 2_000
"""Characters of a question."""
TURNS = 100
"""Earlier turns that a history may hold."""
TURN = 20_000
"""Characters of each text of a history: every answer that was given can be sent back in one."""
ANSWER = 20_000
"""Characters that are taken of what a model says; what comes after is cut off."""
COMMENT = 2_000
"""Characters of a comment on an answer, and of the answer that would have been right."""
CHOSEN = 1_000
"""Documents that a question may be put to by their ids."""
ID = 64
"""Characters of a document's id."""
TITLE = 200
"""Characters of a document's title, and of a heading that becomes one."""
NAME = 1_000
"""Characters of the name of a file or an address, as far as it is shown or made a title."""
