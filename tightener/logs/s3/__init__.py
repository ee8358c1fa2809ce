"""Logs that lie in S3: what is named, what there is, which of it is new, and its bytes, a batch at a time."""
