"""How good a prediction is: arrays in, numbers out, by a rule that has a name."""
