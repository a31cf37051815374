"""Tables in PostgreSQL of how search rows lie to the areas that agreements name."""

__all__ = ["PLACED_SCHEMA"]

PLACED_SCHEMA = """
-- How rows lie to the areas that agreements name: a set of areas, what lies how to them, and which rows do.
CREATE TABLE place_set (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL UNIQUE, through bigint NOT NULL);
CREATE TABLE place_word (
    set_id integer NOT NULL REFERENCES place_set ON DELETE CASCADE, code integer NOT NULL, record text NOT NULL,
    PRIMARY KEY (set_id, code)
);
CREATE TABLE item_placed (
    set_id integer NOT NULL REFERENCES place_set ON DELETE CASCADE, number bigint NOT NULL, code integer NOT NULL,
    PRIMARY KEY (set_id, number)
);
GRANT SELECT ON item_placed TO PARTNER_ROLE;
"""
