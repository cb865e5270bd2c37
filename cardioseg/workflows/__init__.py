"""One verb a module: paths in, a report out; heavy imports stay inside functions."""
