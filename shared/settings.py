"""Settings: `XYRA_*` environment variables, validated once, at the first use (never at import)."""

from functools import cache
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="XYRA_", extra="ignore", frozen=True)

    environment: str = "local"
    """`local` keeps data and secrets in `data_dir`. Anything else is a deployment, which must bring its own."""

    data_dir: Path = Path(".xyra")
    clock_file: Path | None = None
    """A file with an ISO time that is taken for now, moving on from there. Only in `local`."""
    log_level: str = "INFO"

    operator_email: str | None = None
    operator_password: SecretStr | None = None

    token_issuer: str = "xyra"  # noqa: S105  a name, no secret
    access_token_minutes: int = Field(default=30, ge=1, le=24 * 60)
    refresh_token_days: int = Field(default=30, ge=1, le=365)

    late_window_days: int = Field(default=90, ge=1, le=365)
    """How old an event may be when it is accepted. Decides acceptance only, never billing."""
    event_retention_days: int = Field(default=400, ge=1)
    """Raw events expire after this; totals and documents do not."""
    shard_count: int = Field(default=1)
    """Usage partitions of a new organization: a power of two up to 64."""

    invoice_grace_hours: int = Field(default=24, ge=0, le=24 * 30)
    invoice_due_days: int = Field(default=15, ge=0, le=365)
    backdating_days: int = Field(default=731, ge=0, le=3660)
    """How far in the past an agent or a billing model may start."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.event_retention_days < self.late_window_days:
            raise ValueError("XYRA_EVENT_RETENTION_DAYS must not be shorter than XYRA_LATE_WINDOW_DAYS")
        if self.shard_count not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError("XYRA_SHARD_COUNT must be a power of two from 1 to 64")
        if self.environment != "local":
            if self.clock_file is not None:
                raise ValueError("XYRA_CLOCK_FILE is refused outside local")
            if self.operator_password is None:
                raise ValueError("outside local, XYRA_OPERATOR_EMAIL and XYRA_OPERATOR_PASSWORD must be set")
        return self


@cache
def settings() -> Settings:
    return Settings()
