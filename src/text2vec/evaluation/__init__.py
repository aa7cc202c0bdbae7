"""Answers to numbers: tasks, metrics, runs and reports."""
