"""The Lua scripts that run inside Redis: each script is one atomic step. Their text is in `lua/`."""
