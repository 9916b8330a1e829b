"""A board of results as files: a folder of bundles that is checked, and made into a static site."""
