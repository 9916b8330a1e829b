"""Data of one's own, given as files: what is read of them, and a YAML file that makes a named dataset of them."""
