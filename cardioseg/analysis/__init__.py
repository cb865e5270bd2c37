"""Questions put to a trained network: what its loops do, what they rest on, and what its maps go along with; no files."""
