"""Which training sets meet which test sets: one register, `relations.yaml`, with its sources."""

from harness.relations.register import KINDS, Relation, meetings, related, relations

__all__ = ["KINDS", "Relation", "meetings", "related", "relations"]
