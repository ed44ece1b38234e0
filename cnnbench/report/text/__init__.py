"""How are numbers, names and tables written?"""
