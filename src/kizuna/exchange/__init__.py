"""What nodes say to each other: feeds, manifests, receipts, signed envelopes, the tamper-evident log. No I/O, no clock."""
