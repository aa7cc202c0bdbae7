"""The base of the default model, from its 4-bit file on PyPI to a model folder."""
