"""Names to files to weights: knows no engine."""
