"""What a finished search found, from its MLflow runs."""
