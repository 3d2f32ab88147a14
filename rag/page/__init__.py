"""The page and the other doors through which the chatbot is asked; no retrieval and no answering in here."""
