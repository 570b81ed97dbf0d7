"""Ray on this machine only: started for one task, private, silent, and gone afterwards."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import ray

_OBJECT_STORE_BYTES = 128 * 2**20  # nothing large goes through it: workers read their files themselves


@contextmanager
def local_ray(*, num_cpus: int | None = None, num_gpus: int | None = None) -> Iterator[None]:
    """A local Ray for the time of the `with` block; all of its processes and files go with the block.

    It needs no network but loopback, reports nothing, starts no dashboard and joins no other cluster.

    Args:
        num_cpus: CPUs that Ray hands out (a count for its scheduler, not a limit); all of them by default.
        num_gpus: the same for GPUs.
    """
    folder = tempfile.mkdtemp(prefix="linkner-", dir="/tmp")  # short: the path of a unix socket has 107 bytes
    try:
        ray.init(
            address="local",
            num_cpus=num_cpus,
            num_gpus=num_gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=_OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
