"""How the throughput model is trained, evaluated and described."""
