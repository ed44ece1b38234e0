"""Closed forms and simulations that say how sure a number is."""
