"""Files in and out: one module per family of formats, and `files`, the one door to them."""
