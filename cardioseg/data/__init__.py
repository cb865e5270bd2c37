"""Data sets: where cases come from, how patients are split, what is kept prepared, what training draws from it."""
