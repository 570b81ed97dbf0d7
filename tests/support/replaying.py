"""The replaying server on a free port, in a thread of the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers.simulate_llm.behaviour import Behaviour
from workers.simulate_llm.recorded import RecordedReplies
from workers.simulate_llm.server import ReplayServer, server


@contextmanager
def replaying(replies: RecordedReplies, behaviour: Behaviour, *, ledger: Path | None = None) -> Iterator[str]:
    """The server's base URL; its calls go to the file `ledger`."""
    serving = server(ReplayServer(replies, behaviour, ledger=ledger).app())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            serving.should_exit = True
            thread.join()
