"""How does each species of fruit look?"""
