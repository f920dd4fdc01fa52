"""What a component raises when the user can mend it."""


class ComponentError(Exception):
    """A message for the user: what is wrong, where, what was expected, what to do. Shown without a traceback.

    Anything else that escapes a component is shown as a traceback, cut to the user's own frames.
    """
