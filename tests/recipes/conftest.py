"""The recipes are scripts beside each other: their folder is where they are imported from."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "recipes"))
