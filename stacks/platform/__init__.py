"""The platform on a cluster: namespaces, kinds, rights, the operator, the gateway, the page and the models' claim."""
