"""Values outside of their objects: as tagged JSON that is read back exactly, and as JSON for people."""
