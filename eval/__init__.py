"""Measuring the chatbot on a question set: `python -m eval`."""
