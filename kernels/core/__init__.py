"""What all kernels share: dispatch, compilation, Philox, checking and measuring."""
