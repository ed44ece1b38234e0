"""How do the sections become Markdown and HTML?"""
