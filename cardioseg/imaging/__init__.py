"""Volumes in, volumes out; the only part that reads image files."""
