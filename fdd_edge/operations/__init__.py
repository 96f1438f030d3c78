"""What a stage or a command does: files and typed options in, files out. Never knows a run folder."""
