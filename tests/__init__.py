"""Tests of the operator and the runner, and the real servers they run against."""
