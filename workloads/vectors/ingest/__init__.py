"""From JSON lines to searchable vectors: read, check, drop duplicates, embed, upsert.

source ─▶ records ─▶ duplicates ─▶ delivery ─▶ collection
          │ quarantine.jsonl       │ ledger.sqlite
sources   source.py: files of a claim | bucket.py: objects of S3, fetched
engines   spark.py | plain.py: the same functions, on partitions or in this process
"""
