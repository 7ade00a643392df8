"""One self-contained HTML page about a run, and the pictures on it."""
