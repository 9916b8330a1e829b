"""Tables, figures, notebooks and HTML pages, safe against hostile text."""
