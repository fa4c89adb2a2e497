-- include shared/stamp

return stamp()
