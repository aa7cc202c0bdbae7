"""The default model's base, from its 4-bit file on PyPI to a model folder."""
