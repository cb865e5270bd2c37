"""cardioseg: short-axis cardiac MRI segmentation with recurrent-depth transformers."""

__version__ = "0.1.0"
