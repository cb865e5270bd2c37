"""Equations that networks share, one module each; shape legend: B batch, N tokens, D width, H heads, E experts, T loops."""
