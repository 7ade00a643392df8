"""From probabilities to what a person asked for."""
