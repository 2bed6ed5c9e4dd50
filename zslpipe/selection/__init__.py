"""Selection: who chooses settings, epochs and the calibration, and from which images."""
