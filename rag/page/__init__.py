"""The Gradio page; no retrieval and no answering in here."""
