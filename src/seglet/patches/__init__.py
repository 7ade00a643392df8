"""Training patches: targets, one fused spatial warp, intensity changes, balanced sampling."""
