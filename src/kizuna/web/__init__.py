"""HTTP faces: pages for people, the exchange for partners. Frameworks live here and in cli/ only."""
