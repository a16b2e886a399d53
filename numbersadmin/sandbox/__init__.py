"""An imitation of the provider that runs as its own process: standard library only, imports nothing of ours."""
