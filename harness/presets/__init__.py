"""Settings that several methods share, as YAML."""
