"""Promotions and rollbacks as commits in the repository that Argo CD syncs.

What does not reach Git is undone by the next sync. `Writer.record` makes each verdict one commit: `verdict` says which
documents become what, `yaml_text` changes just that in their text, `remote` reads and pushes.
"""

from __future__ import annotations

from tidegate.gitops.address import GitError
from tidegate.gitops.credentials import Credentials, from_folder, from_secret
from tidegate.gitops.verdict import PROMOTED, ROLLED_BACK, Edit, Model, Verdict, of_rollout
from tidegate.gitops.writer import Recorded, Writer

__all__ = [
    "PROMOTED",
    "ROLLED_BACK",
    "Credentials",
    "Edit",
    "GitError",
    "Model",
    "Recorded",
    "Verdict",
    "Writer",
    "from_folder",
    "from_secret",
    "of_rollout",
]
