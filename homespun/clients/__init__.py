"""Typed clients of web services, without Pulumi or kopf in them: one file a service, all over one `rest`."""
