"""What exists: Pulumi components and dynamic resources."""
