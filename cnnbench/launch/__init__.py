"""How is a plan carried out, and where do its cells run?"""
