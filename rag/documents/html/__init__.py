"""HTML -> Markdown text: what a reader sees of a page; reader.py is the way in."""
