"""What can go wrong for a user: each error is one sentence, and has its exit code."""


class UserError(ValueError):
    """The user's input is wrong: names the option, layer or file and what would do. Exit 1."""
    exit_code = 1


class ToolFailed(RuntimeError):
    """A tool ran and failed: names the tool, what it said and where its log is. Exit 2."""
    exit_code = 2


class ToolMissing(RuntimeError):
    """A tool is not there: names it and the command that installs it. Exit 3."""
    exit_code = 3
