"""Pulumi on any machine: the CLI, and what it starts beside itself.

The CLI is obtained like any command of the table. Its companions (the Python language host, the runner of dynamic
providers) and the kubernetes plugin come from the official releases; where those can't be reached, stand-ins take
their place. Nothing outside this room knows about stand-ins: both speak the same wire protocol and keep the same state.

    install.py      what is there, put together into one folder; what a command needs in its environment
    engine.py       how a plugin process begins and ends
    language.py     stand-in for `pulumi-language-python`;  program.py runs one program for it
    dynamic.py      stand-in for `pulumi-resource-pulumi-python`
    kubernetes/     stand-in for `pulumi-resource-kubernetes`

install.py and __main__.py use the standard library only; the stand-ins run in the environment of
requirements/stacks.txt.
"""
