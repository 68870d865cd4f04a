"""On a real Ray cluster on this machine: a head without cores, and two nodes of one core each."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pictures import save
from quick_encoder import QuickEncoder, SlowOnRay

import lexel
from lexel.bulk.output_folder import OutputFolder
from lexel.bulk.ray import embed_on_ray
from lexel.bulk.shards import MANIFEST, embed_part
from lexel.data.readers import read_source
from lexel.errors import DataError, UsageError

ray = pytest.importorskip("ray", reason='needs Ray: pip install "lexel[cluster]"')

COUNT, ROWS, SHARDS = 40, 2, 20
MEMORY = 80_000_000  # bytes, the least that Ray takes for its objects


class Cluster:
    """Nodes are process groups of their own, started and killed at will."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as Nodes

        # Soon taken for dead: by itself Ray waits half a minute.
        soon = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 1000, "health_check_failure_threshold": 5}
        head = {"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False, "_system_config": soon}
        self.nodes = Nodes(initialize_head=True, head_node_args=head)
        self.address = self.nodes.address
        self.workers = [self.add(), self.add()]
        ray.init(address=self.address, log_to_driver=False)  # once for all tests: joining takes seconds

    def add(self):
        return self.nodes.add_node(num_cpus=1, object_store_memory=MEMORY)

    def kill(self, node) -> None:
        self.nodes.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="module")
def cluster():
    before = dict(os.environ)
    # Where nodes find this module and quick_encoder, and the same Lexel as this process.
    found = [Path(__file__).parent, Path(__file__).parents[1] / "support", Path(lexel.__file__).parents[1]]
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, found))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # What else fills this machine is not to end workers.
    os.environ["RAY_memory_monitor_refresh_ms"] = "0"  # noqa: SIM112
    made = Cluster()
    yield made
    ray.shutdown()
    made.nodes.shutdown()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        save(folder / f"{number:02}.png", number)
    return read_source(str(folder), text_required=False)


def nodes_that_worked(log: Path) -> set[str]:
    return {path.name.partition("-")[0] for path in log.iterdir()}


def assert_whole(folder: Path, source) -> None:
    """Every picture once, with the vector that a run in this process gives it."""
    table = pq.read_table(folder)
    rows = dict(zip(table["key"].to_pylist(), table["embedding"].to_pylist(), strict=True))
    assert len(table) == len(rows) == COUNT
    vectors = np.array([rows[pair.key] for pair in source.pairs], np.float32)
    np.testing.assert_array_equal(vectors, QuickEncoder().embed_images([pair.picture for pair in source.pairs]))
    assert (folder / MANIFEST).exists()


def test_a_node_killed_in_the_middle_costs_nothing(cluster, source, tmp_path, capsys):
    log, out = tmp_path / "log", tmp_path / "out"
    log.mkdir()

    def kill_one() -> None:
        while not over.is_set() and (len(list(log.iterdir())) < 6 or len(nodes_that_worked(log)) < 2):
            time.sleep(0.05)
        cluster.kill(cluster.workers.pop())

    over, killer = threading.Event(), threading.Thread(target=kill_one)
    killer.start()
    try:
        done = embed_on_ray(lambda: SlowOnRay(log), source, OutputFolder.open(str(out)), cluster.address, ROWS)
    finally:
        over.set()  # or a failure here would leave the thread waiting, and the process with it
        killer.join()
    cluster.workers.append(cluster.add())
    assert len(nodes_that_worked(log)) == 2
    assert "An actor was lost" in capsys.readouterr().err
    assert (done.written, done.to_come) == (SHARDS, 0)
    assert_whole(out, source)


def test_the_files_are_those_of_a_run_without_ray_and_one_goes_on_with_the_other(cluster, source, tmp_path):
    from lexel.bulk.plan import EmbeddingPart

    alone, mixed = (OutputFolder.open(str(tmp_path / name)) for name in ("alone", "mixed"))
    embed_part(QuickEncoder(), source, alone, rows=ROWS)
    embed_part(QuickEncoder(), source, mixed, EmbeddingPart(1, 4), ROWS)
    done = embed_on_ray(QuickEncoder, source, mixed, cluster.address)
    assert (done.written, done.kept) == (SHARDS - 5, 5)
    assert {name: alone.read(name) for name in alone.names()} == {name: mixed.read(name) for name in mixed.names()}


def test_what_fails_for_a_moment_is_tried_again_and_what_stays_broken_is_told(cluster, source, tmp_path):
    class Failing(QuickEncoder):
        def __init__(self, times: int) -> None:
            super().__init__()
            self.times = times

        def embed_readable(self, images, what=None):
            tries = len(list(tmp_path.glob("try-*")))
            if "07.png" in str(images) and tries < self.times:
                (tmp_path / f"try-{tries}").touch()
                raise OSError("the store does not answer")
            return super().embed_readable(images, what)

    embed_on_ray(lambda: Failing(2), source, OutputFolder.open(str(tmp_path / "out")), cluster.address, ROWS)
    assert_whole(tmp_path / "out", source)
    with pytest.raises(DataError, match="Shard 3 could not be written in 3 tries: the store does not answer"):
        embed_on_ray(lambda: Failing(99), source, OutputFolder.open(str(tmp_path / "bad")), cluster.address, ROWS)


def test_an_address_without_a_cluster_is_refused(source, tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(UsageError, match=r"no Ray cluster at 127\.0\.0\.1:1: "):
        embed_on_ray(QuickEncoder, source, OutputFolder.open(str(tmp_path / "out")), "127.0.0.1:1", ROWS)
