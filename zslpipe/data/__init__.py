"""Benchmarks: images, classes, semantics and splits, read from disk and checked."""
