"""What every settings class shares: frozen, no unknown keys."""

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
