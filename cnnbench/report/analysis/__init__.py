"""From a run folder to rows and to the comparison of its networks."""
