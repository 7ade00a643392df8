"""From prepared cases to trained weights, by Lightning."""
