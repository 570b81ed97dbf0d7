"""Training, evaluation and serving of the local model, on Ray.

Ray reads its environment once, when it is first imported; so it is set here, before any module of this
package can import it. Workers that Ray starts inherit it.
"""

import os
import secrets

_RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_worker_niceness": "0",  # by default everything else on the machine goes before the model
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a warning about GPUs that nobody asked for
    # Ray opens ports on every interface: a random token, kept in memory only, guards them.
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}

for _name, _value in _RAY_ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)
