"""Look at the data, decide what to do, apply it, undo it."""
