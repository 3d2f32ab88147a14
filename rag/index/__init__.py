"""Passages -> a searchable index, published in versions."""
