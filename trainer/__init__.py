"""Training, evaluation and serving of the local model, on Ray.

Ray and PyTorch's OpenMP read their environment once, when they are first imported; so it is set here, before
any module of this package can import them. Workers that Ray starts inherit it.
"""

import os
import secrets

from linkner.garbage import collect_seldom

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_worker_niceness": "0",  # by default everything else on the machine goes before the model
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a warning about GPUs that nobody asked for
    # Ray opens ports on every interface: a random token, kept in memory only, guards them.
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    # How long an OpenMP thread spins for the others before it sleeps: by default so long that on busy cores
    # it takes the time of those that it waits for.
    "GOMP_SPINCOUNT": "50000",
}

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

collect_seldom()
