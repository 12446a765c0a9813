"""What GPUs do: whether PyTorch runs on them at all, and how fast.

`fit.check_fit` and `measure.measure_gpu` are what the bench calls; ``python -m`` of this
package runs both alone. All that touches a GPU runs in processes of their own, so that a
GPU that hangs, or a build of PyTorch that crashes, costs its own figures and no others.
"""
