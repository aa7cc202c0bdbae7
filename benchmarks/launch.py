"""Run a command and print how many seconds it took and how much memory it had at most, as JSON.

The peak that the system tells of a child begins with the memory of the process that started it,
so this one imports almost nothing:  python -I -S launch.py COMMAND [ARGUMENT ...]
"""

import os
import sys
import time


def main() -> None:
    """Run the command; its output is thrown away, and its exit status is this one's."""
    out = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    child = os.posix_spawnp(
        sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out, 1)]
    )
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    megabytes = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
    print(f'{{"seconds": {seconds:.6f}, "peak_memory_mb": {megabytes:.3f}}}')
    raise SystemExit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
