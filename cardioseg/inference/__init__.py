"""From a network and a volume to a prediction: windows, views, exits."""
