"""What a net of the Hugging Face hub needs, from its ``config.json``.

`advisor.workloads.hf.families` knows the architectures by formula,
`advisor.workloads.hf.library` asks the library `transformers` itself where it is
installed. `advisor.workloads.hf.needs` chooses between them.
"""
