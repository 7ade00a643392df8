"""From an image and a model to probabilities on the image's own grid."""
