"""Results kept true over time: figures that are expected, and records that are older than what is here."""
