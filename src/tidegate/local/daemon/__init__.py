"""The warm worker of one environment, in layers of processes; it runs on that environment's Python, with the
standard library only, as a package of its own name, so that no task finds tidegate imported already.

    supervisor   asyncio: the socket, the clients, waiting tasks, time and memory limits; imports nothing of the user's
      zygote 0   single-threaded: has kfp's executor imported; forks one child per task
        zygote 1 forked from zygote 0, has also imported the first module of `preload`; forks children
          ...    and so on: a task is forked by the lowest zygote that has what the task imports
            task a session of its own: its environment variables, working folder, log
"""
