"""The kept network at work: what it says of images, and how other programs get it.

This file is read for each `--help` and imports nothing of weight.
"""

from enum import StrEnum

__all__ = ["ExportFormat"]


class ExportFormat(StrEnum):
    """What a network can be exported to."""

    ONNX = "onnx"
    SAFETENSORS = "safetensors"
