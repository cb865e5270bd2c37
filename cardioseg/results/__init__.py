"""A finished case on disk: folder, records, numbers, and the tables made from many cases."""
