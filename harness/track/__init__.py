"""MLflow: the store, what is sent to it, its notes and views, and its pages."""
