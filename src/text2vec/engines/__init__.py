"""Ids to embeddings, as fast as the machine can: knows no strings."""
