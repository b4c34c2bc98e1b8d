"""Stand-in for `pulumi-resource-kubernetes`: any kind of object, by server-side apply, for the SDK `pulumi-kubernetes`.

    values.py       the engine's wire values: secrets, unknowns, numbers
    objects.py      what a Kubernetes object says about itself
    inputs.py       what a program declares → what is recorded: names, namespaces, managers
    diff.py         declared then, declared now, alive
    readiness.py    when an object is ready, and what it waits for
    kubeconfig.py   whose API server, by which credentials
    api.py          the API server's client
    manifests.py    yaml/v2 ConfigGroup and ConfigFile
    servicer.py     the provider: the verbs that the engine calls
    errors.py       all that can go wrong

The same wire protocol, IDs, inputs and outputs as the official plugin, so that a state written by one is read by the
other. Different from it:

- What must be replaced is asked of the server (a dry run that it refuses because a field is immutable), where the
  official one has a table. ConfigMaps and Secrets are replaced when their data changes, as there, unless
  `enable_config_map_mutable` and `enable_secret_mutable` say otherwise.
- `resourceVersion` and `managedFields` are not among the outputs: they change without anybody changing the object.
- Services other than load balancers, and Ingresses, count as ready at once. Claims that only a consumer can bring to be
  bound (WaitForFirstConsumer, no class, a class without a provisioner) are not waited for.
- Not there: client-side apply, Helm releases and charts, kustomize, rendering to a folder, `generateName`, the
  annotations `pulumi.com/waitFor` and `replaceUnready`, the engine's autonaming settings, kubeconfigs with `exec`,
  `auth-provider`, passwords or a proxy. Each is refused by name.
"""
