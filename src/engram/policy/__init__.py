"""The nation's record as a policy instrument: store, search, count, and relate with honesty."""

from engram.policy.document import CHAMBERS, DOC_TYPES, REASONS, Document, Rejected, Rejection

__all__ = ["CHAMBERS", "DOC_TYPES", "REASONS", "Document", "Rejected", "Rejection"]
