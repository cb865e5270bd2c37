"""The training loop, its losses and its checkpoints; knows nothing of files beside its own."""
