"""The Argo engine: the IR compiled to a WorkflowTemplate (pure), then submitted and followed."""
