"""Training: labelled texts -> better weights, on sentence-transformers' trainer."""
