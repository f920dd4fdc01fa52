"""MLServer's side: the runtime that serves our SavedModels, and the settings that say so. Only `runtime` imports TF."""
