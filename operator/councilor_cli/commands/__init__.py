"""The commands, a module each: a function that typer makes a command of, and nothing that another command needs."""
