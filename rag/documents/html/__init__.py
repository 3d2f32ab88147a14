"""HTML -> Markdown text, as a reader sees it; reader.py is the way in."""
