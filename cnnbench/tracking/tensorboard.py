"""How do curves get into TensorBoard?"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from cnnbench.tracking.numbers import points

if TYPE_CHECKING:
    from cnnbench.store import RunFolder


def export(run: RunFolder) -> str:
    """Write `tensorboard/<cell>/` into the run folder, anew, and return its path.

    The step is the number of images seen, the relative time the charged seconds.
    """
    from tensorboard.compat.proto.event_pb2 import Event as Record
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    home = run.path / "tensorboard"
    if home.exists():
        shutil.rmtree(home)
    for cell in run.plan().cells:
        writer = EventFileWriter(str(home / cell.id))
        for point in points(run.events(cell)):
            summary = Summary(value=[Summary.Value(tag=point.tag, simple_value=point.value)])
            record = Record(wall_time=point.seconds, step=point.images, summary=summary)
            writer.add_event(record)
        writer.close()
    return str(home)
