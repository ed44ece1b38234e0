"""Where do the fruits lie, on what, between what?"""
