"""How are models, datasets, plans and outcomes listed on stdout, as tables or as JSON?"""
