"""How does a described fruit become pixels?"""
