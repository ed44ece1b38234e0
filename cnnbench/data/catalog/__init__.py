"""Which datasets are known, and how do they come here?"""
