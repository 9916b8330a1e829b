"""A trained run as a model: embeddings, search, tests on other datasets."""
