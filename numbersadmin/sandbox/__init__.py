"""An imitation of the provider, run as a process of its own: standard library only, nothing of ours."""
