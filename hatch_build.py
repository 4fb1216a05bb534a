"""README as a package index shows it, where relative links lead nowhere.

Once `[project.urls]` of pyproject.toml has a `Repository`, links and pictures of README lead to the
files of this release there: REPOSITORY/blob/vVERSION/... and, for pictures, REPOSITORY/raw/...
Without one README is left as it is. In the repository itself it stays relative.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE = re.compile(r"(?<=\]\()(?![a-z]+:|#)[^)\s]+")


class ReadmeHook(MetadataHookInterface):
    """Puts README into the metadata of wheel and source distribution."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        repository = metadata.get("urls", {}).get("Repository")
        if repository:
            text = absolute(text, repository, f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def absolute(text: str, repository: str, release: str) -> str:
    """Markdown with its relative links led to the files of a release in the repository."""

    def place(link: re.Match[str]) -> str:
        kind = "raw" if link[0].endswith((".png", ".svg")) else "blob"
        return f"{repository.rstrip('/')}/{kind}/{release}/{link[0]}"

    return RELATIVE.sub(place, text)
