"""Training: the loop, its losses and settings, checkpoints, and the model a run starts from."""
