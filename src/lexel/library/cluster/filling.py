"""Putting vectors and facts onto a Qdrant cluster: those of a library, or of a folder that `lexel embed` has filled.

A photo's number is that in the library, or its row over all shards: the same again replaces the same points, so that
filling may be cut off and repeated, and ends whole and without doubles.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from lexel.batches import ceil_div
from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.plan import read_plan
from lexel.bulk.shards import finish, shard_name
from lexel.errors import DataError, UsageError
from lexel.library.cluster.collection import Collection
from lexel.library.store.contents import highest_id
from lexel.library.store.records import Photo, Records
from lexel.progress import track
from lexel.unit_vectors import check_finite

POINTS_PER_REQUEST = 512  # some 5 MB of JSON at 512 numbers each
INDEXED_FIELDS = {
    "taken": "datetime",
    "orientation": "keyword",
    "tags": "keyword",
    "folders": "keyword",
    "least_side": "integer",
}
Batch = tuple[np.ndarray, np.ndarray, list[dict[str, Any]]]  # ids, vectors (n, D), payloads


def fill_from_records(collection: Collection, records: Records) -> int:
    """Put all photos of a library there, and take away those that it has no more; how many there are."""
    if not records.count:
        raise UsageError(f"{records.folder} is empty.")
    facts = {
        "fingerprint": records.fingerprint,
        "model": records.model,
        "model_name": records.fact("model_name"),
        "runtime": records.fact("runtime"),
        "number_format": records.fact("number_format"),
        "dimensions": records.dimensions,
        "last_id": highest_id(records),
        "origin": str(records.folder),
    }
    _prepare(collection, facts)
    batches = _batches_of_records(records)
    written = _fill(collection, track(batches, "Filling the cluster", ceil_div(records.count, POINTS_PER_REQUEST)))
    _remove_others(collection, records)
    return written


def fill_from_folder(collection: Collection, folder: OutputFolder) -> int:
    """Put all rows of a finished `lexel embed -o FOLDER/` there; how many. Raises DataError for an unfinished one."""
    plan = read_plan(folder)
    if plan.kind != "images":
        raise UsageError(f"{folder.given} holds embeddings of {plan.kind}; a library on a cluster is one of pictures.")
    to_come, manifest = finish(plan, folder)
    if manifest is None:
        raise DataError(f"{folder.given} is not finished: {to_come:,} of {plan.shards:,} files are to come.")
    facts = {
        "fingerprint": plan.fingerprint,
        "model": None,
        "model_name": plan.model,
        "dimensions": plan.dimensions,
        "last_id": plan.pairs - 1,
        "origin": plan.identity,
    }
    _prepare(collection, facts)
    shards = track(range(plan.shards), "Filling the cluster", plan.shards)
    return _fill(collection, (batch for number in shards for batch in _batches_of_shard(folder, number, plan.rows)))


def payload_of(photo: Photo) -> dict[str, Any]:
    """A photo's facts, and what filters look for."""
    names = ("size", "mtime_ns", "hash", "width", "height", "taken", "latitude", "longitude", "camera")
    names += ("caption", "description")
    given = {name: getattr(photo, name) for name in names if getattr(photo, name) is not None}
    turned = "landscape" if photo.width > photo.height else "portrait" if photo.width < photo.height else "square"
    return {
        **given,
        "path": photo.shown,
        "tags": list(photo.tags),
        "keywords": list(photo.keywords),
        "orientation": turned,
        "least_side": min(photo.width, photo.height),
        "folders": [str(folder) for folder in PurePosixPath(photo.shown).parents],
    }


def _prepare(collection: Collection, facts: dict[str, Any]) -> None:
    """Make the collection, or see that it is of the same origin and model."""
    from qdrant_client import models

    if collection.exists:
        there = collection.facts
        for name in ("fingerprint", "origin"):
            if there.get(name) != facts[name]:
                raise UsageError(
                    f"{collection.address} holds something else ({name} {there.get(name)}, not {facts[name]}).\n"
                    "Give a collection of another name."
                )
        with collection.translated_errors():
            collection.client.update_collection(collection.name, metadata=facts)
        return
    code = models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True)
    with collection.translated_errors():
        collection.client.create_collection(
            collection.name,
            vectors_config=models.VectorParams(
                size=facts["dimensions"],
                distance=models.Distance.COSINE,
                datatype=models.Datatype.FLOAT16,
                on_disk=True,
            ),
            quantization_config=models.ScalarQuantization(scalar=code),
            on_disk_payload=True,
            metadata=facts,
        )
        for field, kind in INDEXED_FIELDS.items():
            collection.client.create_payload_index(collection.name, field, models.PayloadSchemaType(kind))


def _fill(collection: Collection, batches: Iterator[Batch]) -> int:
    from qdrant_client import models

    count, model = 0, collection.facts["model_name"]
    for ids, vectors, payloads in batches:
        check_finite(vectors, [payload["path"] for payload in payloads], model)
        points = models.Batch(ids=ids.tolist(), vectors=vectors.astype(np.float32).tolist(), payloads=payloads)
        with collection.translated_errors():
            collection.client.upsert(collection.name, points, wait=True)
        count += len(ids)
    return count


def _batches_of_records(records: Records) -> Iterator[Batch]:
    for ids, vectors in records.vector_blocks(POINTS_PER_REQUEST):
        yield ids, vectors, [payload_of(photo) for photo in records.photos(ids)]


def _batches_of_shard(folder: OutputFolder, number: int, rows: int) -> Iterator[Batch]:
    import pyarrow.parquet as pq

    with folder.reading(shard_name(number)) as file:
        table = pq.read_table(file)
    for start in range(0, len(table), POINTS_PER_REQUEST):
        piece = table.slice(start, POINTS_PER_REQUEST)
        flat = piece["embedding"].combine_chunks().flatten().to_numpy()
        ids = number * rows + start + np.arange(len(piece))
        texts = zip(*(piece[name].to_pylist() for name in ("key", "label", "captions")), strict=True)
        payloads = [
            {"path": key, "tags": [label] if label else [], "caption": "\n".join(captions) or None}
            for key, label, captions in texts
        ]
        yield ids, flat.reshape(len(piece), -1), payloads


def _remove_others(collection: Collection, records: Records) -> None:
    """Take away the points of photos that the library does not search any more."""
    from qdrant_client import models

    live, place = records.ids_where("1"), None
    while True:
        with collection.translated_errors():
            points, place = collection.client.scroll(
                collection.name, limit=POINTS_PER_REQUEST, offset=place, with_payload=False, with_vectors=False
            )
        ids = np.array([point.id for point in points], np.int64)
        gone = ids[~np.isin(ids, live)].tolist()
        if gone:
            with collection.translated_errors():
                collection.client.delete(collection.name, models.PointIdsList(points=gone))
        if place is None:
            return
