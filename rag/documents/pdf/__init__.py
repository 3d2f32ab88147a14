"""PDF -> text and pages, by the places of words; reader.py is the way in."""
