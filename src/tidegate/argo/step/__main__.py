import sys

from tidegate.argo.step.main import main

sys.exit(main(sys.argv[1:]))
