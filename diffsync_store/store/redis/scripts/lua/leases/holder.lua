-- include shared/lease

-- Returns: the holder, or nothing.
if held then return r end
return {}
