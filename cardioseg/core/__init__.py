"""What every other part speaks of: volumes, cases, predictions, labels, settings, errors, reports."""
