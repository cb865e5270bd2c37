"""Predicted against reference masks: overlap, surface distance, agreement of clinical numbers."""
