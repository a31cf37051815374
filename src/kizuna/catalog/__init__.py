"""Items: what a node holds, ready to be listed. Row-level access, columns and tiles follow."""
