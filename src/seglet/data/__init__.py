"""What stands on disk: which cases, how their masks are written, what is wrong with them."""
