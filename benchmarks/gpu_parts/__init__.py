"""Parts of `gpu_bench`."""
