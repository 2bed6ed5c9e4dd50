"""From scores to results: metrics, curves, calibration, statistics, tables."""
