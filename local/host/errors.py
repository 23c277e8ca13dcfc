"""What keeps the host from starting."""


class StartupError(Exception):
    """The app, its host.json or its surroundings do not allow a start. The text is for the person at the terminal."""
