"""Strings to ids, words and rows: knows no model."""
