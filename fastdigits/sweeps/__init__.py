"""Train many networks on several processes or machines, and store the result of every run."""
