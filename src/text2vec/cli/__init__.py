"""Words to calls: no logic."""
