"""rclip for `library.py`: rclip_index.py PICTURES WORK   or   rclip_index.py PICTURES WORK again

Its own indexing into its own database, with the same ViT-B/32 at 224 pixels in place of its model of 256 pixels, which
cannot be fetched here. `again` fills its database first and times looking through unchanged files.
"""

import json
import os
import sys
import time
from pathlib import Path

pictures, work = sys.argv[1:3]
os.environ["RCLIP_DATADIR"] = work

from rclip import db  # noqa: E402 - it reads its folder from the environment
from rclip.main import RClip  # noqa: E402
from rclip.model import Model  # noqa: E402
from rclip.utils import preprocess  # noqa: E402

preprocess.IMAGE_SIZE = 224
BATCH = 8  # its default


def fill(database: db.DB) -> None:
    for folder, _, names in os.walk(pictures):
        for name in names:
            path = Path(folder) / name
            status = path.stat()
            row = db.NewImage(
                filepath=str(path),
                modified_at=status.st_mtime,
                size=status.st_size,
                vector=bytes(2048),
                hash=str(path),
            )
            database.upsert_image(row, commit=False)
    database.commit()


database, model = db.DB(Path(work) / "db.sqlite3"), Model()
again = sys.argv[3:] == ["again"]
if again:
    fill(database)
else:
    model._session_visual  # noqa: B018 - opened here, not in the time that is taken
rclip = RClip(model, database, BATCH, None)
began, cores = time.perf_counter(), sum(os.times()[:4])
rclip.ensure_index(pictures)
seconds, cpu = time.perf_counter() - began, sum(os.times()[:4]) - cores
rclip.close()
images = sum(len(names) for _, _, names in os.walk(pictures))
print(json.dumps({"name": "rclip onnx float32", "seconds": seconds, "cpu": cpu, "images": images}))
