"""What a TFX user module expects of the process that runs it: `tfx.v1`, FnArgs, and data by its DataAccessor."""
