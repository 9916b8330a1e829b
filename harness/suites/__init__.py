"""The shipped suites, and the published tables their reports set results against, as YAML."""
