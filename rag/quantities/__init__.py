"""A text -> its numbers, quantities, days, times and identifiers, by what they mean."""
