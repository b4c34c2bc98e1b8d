"""What exists: Pulumi components and dynamic resources over plain typed modules."""
