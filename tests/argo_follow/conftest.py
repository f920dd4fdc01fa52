from tests.cli.conftest import _own_workers, tidegate

__all__ = ["_own_workers", "tidegate"]
