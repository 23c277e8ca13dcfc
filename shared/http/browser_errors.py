"""Errors of routes that browsers are sent to: a page for people, a problem document for programs."""

from collections.abc import Mapping
from typing import Any

from shared.domain.kernel.errors import XyraError
from shared.http import pages
from shared.http.problems import MEDIA_TYPE, Problem, problem_document
from shared.http.schemas import TextFile

_TITLE = "You are not signed in"


class BrowserErrors:
    """By the header `Accept`, in which browsers ask for HTML."""

    @property
    def content(self) -> Mapping[str, Any]:
        return {MEDIA_TYPE: Problem, pages.MEDIA_TYPE: TextFile}

    def written(self, error: XyraError, headers: Mapping[str, str]) -> tuple[str, bytes]:
        if pages.MEDIA_TYPE not in headers.get("accept", ""):
            return MEDIA_TYPE, problem_document(error)
        return pages.MEDIA_TYPE, pages.message_page(
            _TITLE, f"{error.public_detail.rstrip('.')}.", leads_to_sign_in=True
        )
