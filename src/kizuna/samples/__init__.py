"""Sample data that ships: agreements, radar echoes, a Sentinel-1 scene. Each folder says where it comes from."""
