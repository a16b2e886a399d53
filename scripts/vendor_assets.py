#!/usr/bin/env python3
"""Fetch fonts, icons, flags and the accessibility checker from their npm packages, with their licences.

What pages need goes into static/, what only tests need into tests/browser/.
Run from anywhere: `python scripts/vendor_assets.py`. Needs npm on the path and nothing else; where packages
come from is npm's own configuration. The result is committed, so nobody needs npm to run the product.
A new icon: add its name to ICONS (names as on the Tabler icon sheet, outline set) and run this again.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "static"
BROWSER_TESTS = ROOT / "tests" / "browser"

FONT_PACKAGE = "@fontsource-variable/inter@5.3.0"
FLAG_PACKAGE = "flag-icons@7.5.0"
ICON_PACKAGE = "@tabler/icons@3.51.0"
AXE_PACKAGE = "axe-core@4.14.1"

FONTS = {
    "inter-latin-wght-normal.woff2": "inter-latin.woff2",
    "inter-latin-ext-wght-normal.woff2": "inter-latin-ext.woff2",
}

ICONS = """
    alert-triangle arrow-down-right arrow-up-right arrows-diff ban bookmark calendar chart-bar check checklist
    chevron-down chevron-left chevron-right circle-check circle-dashed circle-x clock coins columns-3 copy dots
    download edit external-link eye filter hash help-circle history home hourglass info-circle key keyboard lock
    lock-open logout menu-2 message message-circle phone phone-call player-pause plug-connected-x plus printer
    receipt refresh search settings shield-check shopping-cart tag trending-up user users x zoom-question
""".split()

LARGEST_FLAG = 100_000
"""Bytes. A flag above this is a coat of arms in full detail, which nobody sees at 20 pixels."""

PLAIN_FLAGS = {
    # The civil flags of both countries carry no arms, so these are right and 200 bytes each.
    "rs": ("#c6363c", "#0c4076", "#fff"),
    "bo": ("#d52b1e", "#f9e300", "#007934"),
}

SOURCE_MAP = re.compile(rb"[ \t]*(//[#@]|/\*[#@])\s*sourceMappingURL=[^\n]*\n?")


def main() -> None:
    """Fetch the packages and write everything they give us."""
    with tempfile.TemporaryDirectory() as folder:
        write_fonts(unpack(FONT_PACKAGE, Path(folder) / "font"))
        write_flags(unpack(FLAG_PACKAGE, Path(folder) / "flag"))
        write_icons(unpack(ICON_PACKAGE, Path(folder) / "icon"))
        write_axe(unpack(AXE_PACKAGE, Path(folder) / "axe"))


def unpack(package: str, folder: Path) -> Path:
    """The unpacked folder of one package (`name@version`); stops with npm's own words when it fails."""
    folder.mkdir()
    packed = subprocess.run(
        ["npm", "pack", "--silent", package], cwd=folder, check=False, capture_output=True, text=True
    )
    if packed.returncode:
        sys.exit(f"npm could not fetch {package}:\n{packed.stderr}")
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def write(path: Path, content: bytes) -> None:
    """Write a file, without the source map comment that manifest storage cannot resolve."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SOURCE_MAP.sub(b"", content) if path.suffix in {".css", ".js", ".svg"} else content)


def write_fonts(package: Path) -> None:
    """Two subsets of one variable font: latin, and latin-ext that a page loads only when it needs it."""
    for source, name in FONTS.items():
        write(STATIC / "fonts" / name, (package / "files" / source).read_bytes())
    write(STATIC / "fonts" / "LICENSE.txt", (package / "LICENSE").read_bytes())


def write_flags(package: Path) -> None:
    """One file per ISO 3166 code; regions and organisations are left out, huge ones replaced or dropped."""
    folder = STATIC / "flags"
    for old in folder.glob("*.svg"):
        old.unlink()
    for source in sorted((package / "flags" / "4x3").glob("??.svg")):
        if source.stem in PLAIN_FLAGS:
            write(folder / source.name, three_bands(*PLAIN_FLAGS[source.stem]))
        elif source.stat().st_size <= LARGEST_FLAG:
            write(folder / source.name, source.read_bytes())
    write(folder / "LICENSE.txt", (package / "LICENSE").read_bytes())


def three_bands(top: str, middle: str, bottom: str) -> bytes:
    """A flag of three horizontal bands, 4 to 3."""
    bands = "".join(
        f'<path fill="{colour}" d="M0 {160 * row}h640v160H0z"/>'
        for row, colour in enumerate((top, middle, bottom))
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 480">{bands}</svg>\n'.encode()


def write_icons(package: Path) -> None:
    """All icons in one sprite: a symbol per icon, drawn by the stroke that app.css sets."""
    symbols = []
    for name in sorted(ICONS):
        drawing = (package / "icons" / "outline" / f"{name}.svg").read_text()
        paths = re.findall(r"<(?:path|circle|rect|line)\b[^>]*/>", drawing)
        shapes = "".join(path for path in paths if 'stroke="none"' not in path)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{shapes}</symbol>')
    sprite = '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"
    write(STATIC / "icons.svg", sprite.encode())
    write(STATIC / "icons.LICENSE.txt", (package / "LICENSE").read_bytes())


def write_axe(package: Path) -> None:
    """The accessibility checker that the browser tests run on each page; no page of the product has it."""
    write(BROWSER_TESTS / "axe.min.js", (package / "axe.min.js").read_bytes())
    write(BROWSER_TESTS / "axe.LICENSE.txt", (package / "LICENSE").read_bytes())


if __name__ == "__main__":
    main()
