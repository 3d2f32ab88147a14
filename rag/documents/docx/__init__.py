"""DOCX -> Markdown text, by a walk over its XML; reader.py is the way in."""
