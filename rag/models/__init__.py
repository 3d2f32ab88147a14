"""The embedder and the chat model: their files, and how they are started."""
