"""Reading and writing image files, and preprocessing; no other package reads image files."""
