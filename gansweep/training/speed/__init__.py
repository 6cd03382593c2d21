"""Makes packs faster without changing a number: traces, CUDA graphs, precision of matrix products."""
