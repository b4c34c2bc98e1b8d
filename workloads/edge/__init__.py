"""What every gateway shares: errors, bodies, tokens, following the cluster, the request log, the HTTP server.

One exception tree (`errors.EdgeError`): whatever a handler raises of it becomes a JSON answer at one boundary.
"""
