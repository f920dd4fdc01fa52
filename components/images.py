"""The images that components run in; `[tool.tidegate.images]` maps them to local environments."""

from tidegate import __version__

COMPONENTS = f"tidegate/components:{__version__}"
SERVING = f"tidegate/serving:{__version__}"
