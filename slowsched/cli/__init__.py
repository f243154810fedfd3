"""The command line: parse arguments, call one use case, render, end with a status.

A command holds no rule of the product, and nothing below it prints or exits. `main` has the table of the
commands; a command's own module is imported only when it runs, so that `--help` and a typing error are quick.
"""
