"""The trials of `endurance.py`: each takes a folder and whether to be short, and returns a Finding."""
