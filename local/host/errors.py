"""Errors that keep the host from starting."""


class StartupError(Exception):
    """The app, host.json, a setting or the port does not allow a start. The text is shown at the terminal."""
