"""Archives: what a member may be called, one checked reader, a canonical writer, the manifest."""
