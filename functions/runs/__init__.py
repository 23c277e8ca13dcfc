"""Runs and threads."""

from functions.runs import runs, threads

blueprints = (runs.blueprint, threads.blueprint)
