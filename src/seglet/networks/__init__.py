"""The networks: one published architecture, one file."""
