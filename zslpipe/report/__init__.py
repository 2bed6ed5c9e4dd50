"""What people look at: one self-contained page of a set of runs, and contact sheets of predictions."""
