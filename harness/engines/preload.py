"""What the fork server imports once, so that a new worker costs about ten milliseconds.

Third-party packages only: project code is imported by the worker itself, after its sources were hashed.
No thread is started and no accelerator is touched here.
"""

import numba  # noqa: F401
import numpy as np  # noqa: F401
import pydantic  # noqa: F401
import safetensors.torch  # noqa: F401
import torch  # noqa: F401
