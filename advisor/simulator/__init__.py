"""The market over a real socket, for trials and tests: no money, no machines.

`world.World` is what happens, `server.serve` lets it answer as the API of Vast.ai does.
What the official client and ours send is accepted; what goes wrong on the real market
can be made to go wrong here (`scenarios.SCENARIOS`). Source of the rules:
https://docs.vast.ai and the source of the official client `vastai` 1.9.1 (November
2026); rates, times and sizes are assumptions where their place says so.
"""
