"""What a job's software needs of a machine: image, CUDA, driver, GPU code, vendor."""
