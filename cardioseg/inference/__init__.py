"""From a network and a volume to a prediction: windows, orientations, exits, native grid."""
