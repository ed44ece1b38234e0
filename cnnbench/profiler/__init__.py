"""The profiler: how fast and how large a network is here, and what this machine can do."""
