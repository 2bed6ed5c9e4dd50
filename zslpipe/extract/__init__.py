"""Images to features; `pipeline.extract` is the entry point."""
