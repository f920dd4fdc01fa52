"""Serving on this machine: MLServer processes behind one Envoy, kept up by a supervisor.

`desired` says what should run and who gets which requests; whoever wants a change writes it. The supervisor alone
starts and ends processes and writes Envoy's configuration. Each of them may be killed at any time: the files say how to
go on.
"""
