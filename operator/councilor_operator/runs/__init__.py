"""Runs: what a Job came to, and how it is counted. Pure."""
