"""Letters of other scripts that look like Latin ones: scraped texts wear them, and so do texts that avoid a filter.

A hand-made excerpt of Unicode's confusables (UTS 39): the letters that are drawn the same in common fonts. Both sides
of a comparison are mapped, so a text that is really Greek or Russian still equals only itself.
"""

from __future__ import annotations

__all__ = ["LOOK_ALIKES"]

_LETTERS = (
    ("АВЕЄЅІЈКМНОРСТУХҮԌԚԜԀԁһҺаеєѕіјкмнорстухүԍԛԝвьѵпгӀӏ", "ABEESIJKMHOPCTYXYGQWDdhHaeesijkmhopctyxygqwbbvnrll"),
    ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϳαβεικηνορτυχγςωϲσ", "ABEZHIKMNOPTYXCjabeiknvoptuxycwco"),
    ("օոսհցքզյԱՍՕԼ", "onuhgpqjUUOL"),
    ("ᎠᎡᎢᎪᎫᎬᎳᎷᎻᏀᏃᏒᏔᏚᏙᏞᏟᏢᏦᏴ", "DRTAJEWMHGZRWSVLCPKB"),
    ("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "ABCDEFGHIJKLMNOPRSTUVWYZ"),
    ("ıɩɑɡøØđĐłŁħĦŧŦɓɗɨʉ", "iiagoOdDlLhHtTbdiu"),
)
_SYMBOLS = (0x1F130, 0x1F150, 0x1F170, 0x1F1E6)
"""Letters in squares, circles and flags, which Unicode's NFKC leaves: each a run from A to Z."""

LOOK_ALIKES = str.maketrans(
    {other: latin for others, latins in _LETTERS for other, latin in zip(others, latins, strict=True)}
    | {chr(start + n): chr(ord("A") + n) for start in _SYMBOLS for n in range(26)}
)
"""A table for ``str.translate``."""
