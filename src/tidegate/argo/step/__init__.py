"""What happens in the pod of a step, before and after the task itself; the standard library only.

An image that has Python runs all of it in the task's own container (`run`). Beside any other image, an init container
gets the task ready (`prepare`), and a container collects what it made (`collect`).
"""
