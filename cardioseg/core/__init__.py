"""Records that all packages share: volumes, cases, predictions, labels, settings, errors."""
