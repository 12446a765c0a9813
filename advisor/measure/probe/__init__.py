"""The program that measures a machine, here or at the other end of ssh.

It runs where advisor is not installed: it imports nothing of advisor, needs the standard
library of Python 3.8 and no more, and uses NumPy, Pillow, OpenCV, PyTorch and the tools
of the driver where it finds them.
"""
