"""What training minimizes; every term respects the pixel weights."""
