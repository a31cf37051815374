"""Joins the ports to their adapters, from one settings object. Nothing else knows which adapter stands behind a port."""

from __future__ import annotations

from kizuna.adapters.input_files import open_input, open_product, read_input
from kizuna.adapters.machine import machine_name
from kizuna.adapters.pgstac import is_pgstac
from kizuna.adapters.stac_walk import FoundItem, is_web
from kizuna.adapters.stores import DATABASE, is_synced
from kizuna.adapters.translations import speak
from kizuna.adapters.watched_folder import Arrived, WatchedFolder
from kizuna.wiring.files import label_path, read_label_file, read_tile, stac_items
from kizuna.wiring.keys import (
    announce_node_keys,
    forget_sealing_keys,
    give_sealing_key,
    read_certificate_end,
    rotate_node_keys,
    rotate_sealing_key,
    take_due_keys,
)
from kizuna.wiring.media import media_in, new_medium, open_medium, shelf_of
from kizuna.wiring.moving import migrate_node
from kizuna.wiring.nodes import (
    KEYS,
    TOKEN_VARIABLE,
    catalogue_index,
    machine_memory,
    make_node,
    node_lies_in,
    open_node,
    person_at_terminal,
    signed_identities,
)
from kizuna.wiring.partners import STAPI_TOKEN, TASKING_PATH, order_desk, tasking_of, transport_to
from kizuna.wiring.registers import CIVIL_OFFSETS, beside, load_register, subject_of_file
from kizuna.wiring.settings import SETTINGS_FILE, Settings, address, load_settings, write_settings
from kizuna.wiring.texts import LANGUAGES, language, sample_folder, system_now, translate

__all__ = [
    "CIVIL_OFFSETS",
    "DATABASE",
    "KEYS",
    "LANGUAGES",
    "SETTINGS_FILE",
    "STAPI_TOKEN",
    "TASKING_PATH",
    "TOKEN_VARIABLE",
    "Arrived",
    "FoundItem",
    "Settings",
    "WatchedFolder",
    "address",
    "announce_node_keys",
    "beside",
    "catalogue_index",
    "forget_sealing_keys",
    "give_sealing_key",
    "is_pgstac",
    "is_synced",
    "is_web",
    "label_path",
    "language",
    "load_register",
    "load_settings",
    "machine_memory",
    "machine_name",
    "make_node",
    "media_in",
    "migrate_node",
    "new_medium",
    "node_lies_in",
    "open_input",
    "open_medium",
    "open_node",
    "open_product",
    "order_desk",
    "person_at_terminal",
    "read_certificate_end",
    "read_input",
    "read_label_file",
    "read_tile",
    "rotate_node_keys",
    "rotate_sealing_key",
    "sample_folder",
    "shelf_of",
    "signed_identities",
    "speak",
    "stac_items",
    "subject_of_file",
    "system_now",
    "take_due_keys",
    "tasking_of",
    "translate",
    "transport_to",
    "write_settings",
]
