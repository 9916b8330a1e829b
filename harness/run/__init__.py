"""One run from config to record, and several seeds of it."""
