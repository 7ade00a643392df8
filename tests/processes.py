"""Commands of seglet in processes of their own, and what they take of the memory."""

import subprocess
import sys

PROGRAM = (
    "import resource, subprocess, sys;"
    "subprocess.run([sys.executable, '-m', 'seglet', *sys.argv[1:]], check=True);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)


def peak(*command: object) -> int:
    """Bytes that a command of seglet takes at most, in a process of its own."""
    program = [sys.executable, "-c", PROGRAM, *map(str, command)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1]) * 1024
