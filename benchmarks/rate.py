"""The machine's own rate of matrix products in float32, bfloat16 and int8, by torch (oneDNN).

    python rate.py THREADS HIDDEN INNER

Prints operations per second of each, for the products of one layer (``[tokens, h] x [h, 3h]``,
``[h, h]``, ``[h, f]`` and ``[f, h]``) on 2,048 tokens: all operations of a layer by the sum of
each product's best time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

_TOKENS = 2048
_REPETITIONS = 15


def best_seconds(run: Callable[[], Any]) -> float:
    """Return the shortest time of a call, after one that warms up."""
    run()
    taken = []
    for _ in range(_REPETITIONS):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def make_product(dtype: str, n_in: int, n_out: int) -> list[Callable[[], Any]]:
    """Return ways to multiply ``[tokens, n_in]`` by ``[n_in, n_out]``; the fastest counts."""
    if dtype == "int8":
        left, right = (
            torch.randint(-128, 127, shape, dtype=torch.int8)
            for shape in ((_TOKENS, n_in), (n_in, n_out))
        )
        turned = right.t().contiguous().t()
        return [lambda: torch._int_mm(left, right), lambda: torch._int_mm(left, turned)]
    kind = getattr(torch, dtype)
    states, weight = torch.randn(_TOKENS, n_in).to(kind), torch.randn(n_out, n_in).to(kind)
    right = weight.t().contiguous()
    return [
        lambda: torch.nn.functional.linear(states, weight),
        lambda: torch.mm(states, right),
    ]


def measure_rate(dtype: str, hidden: int, inner: int) -> float:
    """Return the operations per second of one precision."""
    shapes = [(hidden, 3 * hidden), (hidden, hidden), (hidden, inner), (inner, hidden)]
    seconds = sum(min(map(best_seconds, make_product(dtype, *shape))) for shape in shapes)
    return 2 * _TOKENS * sum(n_in * n_out for n_in, n_out in shapes) / seconds


def main() -> None:
    """Print the rates as JSON."""
    threads, hidden, inner = (int(argument) for argument in sys.argv[1:4])
    torch.set_num_threads(threads)
    with torch.inference_mode():
        rates = {
            dtype: measure_rate(dtype, hidden, inner) for dtype in ("float32", "bfloat16", "int8")
        }
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
