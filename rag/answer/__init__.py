"""A question and the passages found for it -> an answer with its citations."""
