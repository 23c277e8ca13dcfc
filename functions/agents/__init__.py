"""Agents: what acts and is billed."""

from functions.agents import agents

blueprints = (agents.blueprint,)
