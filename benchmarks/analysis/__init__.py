"""Analyses of a trained network: what loops, heads and experts do. Used by the scripts above."""
