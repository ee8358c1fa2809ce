"""The weekly run: everything that tightener.yaml names, for all agents, one after the other."""
