"""What asv measures of the kernels: `asv --config kernels/asv.conf.json run`, or `python -m nox -s bench`."""
