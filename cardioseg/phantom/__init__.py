"""A synthetic beating heart with its true mask, for the demo, the tests and training."""
