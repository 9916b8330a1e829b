"""Results of systems that were not trained here: their scores or embeddings, checked and ranked exactly."""
