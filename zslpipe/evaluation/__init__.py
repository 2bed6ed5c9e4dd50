"""Scores in, honest numbers out: metrics, curves, calibration, selection rules, statistics."""
