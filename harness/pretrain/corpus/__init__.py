"""A synthetic corpus like the web: things, scenes and drawn people, with captions as people leave them there.

It shares no function and no sentence with the twins (`harness.twins`), whose persons and captions never come out of it.
"""
