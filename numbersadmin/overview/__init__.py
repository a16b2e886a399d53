"""The front page, the shell around every page, and the command that starts everything."""
