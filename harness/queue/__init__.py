"""Jobs that many processes share, in Optuna's storage."""
