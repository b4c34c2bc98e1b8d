"""What a machine ought to be: pure data from its role and its facts, and the Ansible roles that make it so."""
