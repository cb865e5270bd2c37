"""A finished case on disk: its folder, its records, its numbers, and the tables made from many cases."""
