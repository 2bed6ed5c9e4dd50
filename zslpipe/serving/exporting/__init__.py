"""A trained run as one file that other programs run: backbone and head in one, with semantics as an input."""
