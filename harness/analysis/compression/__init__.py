"""Which layers of a trained run are needed."""
