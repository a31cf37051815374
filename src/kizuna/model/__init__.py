"""What all rooms share: ids, instants, canonical JSON, digests, the product, its label, provenance. Standard library only."""
