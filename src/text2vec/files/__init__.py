"""Rows of texts and embeddings on disk: knows no model."""
