"""Reports: one self-contained HTML page about a set of runs, and contact sheets of predictions."""
