"""Bytes -> Document -> passages: finding, fetching, parsing in a bounded process, cleaning, splitting."""
