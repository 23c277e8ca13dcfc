"""Agents."""

from functions.agents import agents

blueprints = (agents.blueprint,)
