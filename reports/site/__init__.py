"""The static site: results of the registry as pages that open from a folder, without a server and without a network.

`site` decides what is written, `reading` and `trials` ask the registry, `boards` and `charts` shape it, `pages` fill
the templates.  Pages hold text; what is large (trials, learning curves) lies in scripts that a page loads when asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry import Registry
    from reports.site.site import Written


def write_site(registry: Registry, out: Path, specs: Sequence[str] = ()) -> Written:
    """Write the site of some specs, by default of all that ran, into a folder; see `reports.site.site`."""
    from reports.site.site import write

    return write(registry, out, specs)
