"""A text -> the numbers, quantities, days, times and identifiers in it, by what they mean."""
