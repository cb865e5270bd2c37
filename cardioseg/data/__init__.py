"""Data sets: reading their layouts, splitting patients, prepared folders, training samples."""
