"""What rented machines are made of: GPUs, CPUs and the links between them."""
