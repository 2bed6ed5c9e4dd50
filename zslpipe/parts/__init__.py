"""Building blocks of heads: the base class, gradient training, attention, regression terms, settings."""
