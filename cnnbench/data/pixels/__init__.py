"""From image files to arrays of pixels, decoded once and kept."""
