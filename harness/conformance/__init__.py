"""What must hold of every method, as named checks on a tiny CLIP: `harness methods test` and the tests run them."""
