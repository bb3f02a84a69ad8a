"""The Helm chart: rendered by Helm itself, compared with the code it installs, taken by a real API server."""
