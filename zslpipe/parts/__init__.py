"""What heads are made of: the base class, training by gradient, attention, regression terms, settings."""
