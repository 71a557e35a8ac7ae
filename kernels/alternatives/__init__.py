"""What a user would take instead of a kernel: one file for each kernel, measured beside it in the same run.

Each file holds `ALTERNATIVES`: {name in tables: function}.  A function gets the arguments of a kernel call, prepares
whatever may be prepared once, and returns a callable without arguments that does the work of one call.
"""
