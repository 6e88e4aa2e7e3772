"""`python -m fastdigits` and the `fastdigits` command."""

from fastdigits.cli import main

if __name__ == "__main__":
    main()
