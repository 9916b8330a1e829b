"""The parts of a twin's description under their earlier address, for dataset files that import them from here."""

from harness.datasets import Domain, Form, Look, Shot, Span, Speech

__all__ = ["Domain", "Form", "Look", "Shot", "Span", "Speech"]
