"""Images to features: `pipeline.extract` and what it is made of."""
