"""The agent beside the namespace's Milvus."""
