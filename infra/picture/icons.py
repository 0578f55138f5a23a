"""Icons as strokes in a square of 24 by 24, and the colours of what they stand for."""

from __future__ import annotations

from typing import Final

PATHS: Final = {
    "people": "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3 19c0-3 2-5 5-5s5 2 5 5M16 11a2.5 2.5 0 1 0 0-5M15 14c3 0 5 2 5 5",
    "world": "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM4 12h16M12 4c3 2.5 3 13.500 0 16M12 4c-3 2.500-3 13.500 0 16",
    "sign": "M12 4v16M12 6h6l2 2-2 2h-6M12 11H6l-2 2 2 2h6",
    "door": "M7 20V4h10v16M4 20h16M14 12h.01",
    "split": "M4 12h5M9 12l6-6h4M9 12h10M9 12l6 6h4M17 4l2 2-2 2M17 10l2 2-2 2M17 16l2 2-2 2",
    "out": "M4 5h8v14H4M9 12h11M16 8l4 4-4 4",
    "wheel": "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v5M12 16v5M3 12h5M16 12h5M6 6l3 3M15 15l3 3M18 6l-3 3M9 15l-3 3",
    "boxes": "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
    "plug": "M9 4v5M15 4v5M6 9h12v3a6 6 0 0 1-12 0zM12 18v3",
    "drum": "M5 6c0-3 14-3 14 0s-14 3-14 0zM5 6v12c0 3 14 3 14 0V6M5 12c0 3 14 3 14 0",
    "pool": "M4 7h4M4 12h4M4 17h4M8 5h6v14H8zM14 12h6M17 9l3 3-3 3",
    "bolt": "M13 3L5 14h6l-1 7 8-11h-6z",
    "bucket": "M5 6h14l-2 14H7zM5 6c0-3 14-3 14 0",
    "queue": "M4 8h4v8H4zM10 8h4v8h-4zM16 8h4v8h-4z",
    "bell": "M6 17V11a6 6 0 0 1 12 0v6M4 17h16M10 20h4",
    "table": "M4 5h16v14H4zM4 10h16M4 15h16M10 5v14",
    "function": "M6 20l6-12M8 4h3l6 16h2",
    "files": "M6 4h8l4 4v12H6zM14 4v4h4",
    "image": "M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.500 8-4.500M12 12v9",
    "key": "M9 8.500a3.500 3.500 0 1 0 0 7a3.500 3.500 0 0 0 0-7zM12.500 12H20M17 12v3",
    "lock": "M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3",
    "chart": "M4 4v16h16M7 15l4-5 3 3 5-7",
    "trace": "M4 6h8M7 12h10M10 18h10",
    "copy": "M4 4h11v11H4zM9 15v5h11V9h-5",
    "coin": "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM14.500 9c-1-1.500-5-1.500-5 .5s5 1.500 5 3.500-4 2-5 .5M12 7v10",
}
COLOURS: Final = {  # as AWS colours its own icons
    "compute": "#d86613",
    "data": "#3b56d9",
    "network": "#7d4ae0",
    "storage": "#5f8a0f",
    "events": "#cc2264",
    "safety": "#cf2f41",
    "people": "#55606e",
}
