"""Fields of requests that several entrypoints of this area share."""

from typing import Annotated

from shared.domain.access.project_access import MAXIMUM_GRANTS, ProjectGrant
from shared.domain.kernel.validation import Length

ProjectGrants = Annotated[tuple[ProjectGrant, ...], Length(1, MAXIMUM_GRANTS)]
"""Projects that a member is limited to, with the role in each."""
