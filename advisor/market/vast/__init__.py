"""All that is Vast.ai's own: its names, its queries, its answers, its key."""
