"""The one way in which the generator refuses its input."""


class RegistryError(Exception):
    """`where` is the file (and entry) at fault, `what` a full sentence that says what to do."""

    def __init__(self, where, what):
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what
