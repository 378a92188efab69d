"""When the document is lost: adopt what the resource carries, or restore a version."""
