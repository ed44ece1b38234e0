"""The data room: from a name or a folder to checked, decoded and batched images.

Only `augment` and `loader` import torch, so listing and checking data stays quick.
"""
