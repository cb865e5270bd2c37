"""The synthetic heart: drawing it and writing it to files."""
