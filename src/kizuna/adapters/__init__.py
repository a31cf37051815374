"""The only room that does I/O: database, files, keys, clock, network; and fakes of each that ship. Foreign errors stop here."""
