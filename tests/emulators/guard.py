"""Runs a command, and ends it with all that it has started as soon as whoever asked for it is gone.

Started by `processes.running` in a process group of its own, with a pipe as its input that nobody writes to. The pipe
closes when the tests end it, but also when they are killed: no emulator is left behind. Only the standard library,
and no module of this package: it runs isolated.
"""

import os
import signal
import subprocess
import sys
import threading


def _end_with_the_pipe() -> None:
    # Not through sys.stdin, whose lock would be held when the interpreter ends.
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def main() -> int:
    """Run the command of the arguments, and return its status."""
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL) as process:
        threading.Thread(target=_end_with_the_pipe, daemon=True).start()
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
