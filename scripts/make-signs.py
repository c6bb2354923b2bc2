"""Makes the font of services/gateway/web/shell/signs.ts, which holds it in base64. Needs fonttools and brotli.

    python3 scripts/make-signs.py node_modules/dejavu-fonts-ttf/ttf/DejaVuSansMono.ttf signs.woff2
"""
import sys
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

SIGNS = "✗✓▲▼▶◀▸▾▴●○◌◐◆◇★↑↓←→⇄↵┄×‹›…–−≥≤■□"
NAMES = ("NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC "
         "FS GS RS US SP DEL").split()
font = TTFont(sys.argv[1])
letters = sorted(set("".join(NAMES)))
options = Options(layout_features=[], hinting=False, notdef_outline=False, name_IDs=[], glyph_names=False, legacy_kern=False)
options.drop_tables += ["GSUB", "GPOS", "GDEF", "DSIG", "FFTM", "MATH", "kern"]
subsetter = Subsetter(options)
subsetter.populate(unicodes=[ord(c) for c in SIGNS + "".join(letters)])
subsetter.subset(font)
cmap = font.getBestCmap()
width = font["hmtx"][cmap[ord("A")]][0]
order = font.getGlyphOrder()
glyf = font["glyf"]
added = {}
for code, name in enumerate(NAMES):
    if name == "SP":
        continue
    pen = TTGlyphPen(glyf)
    n = len(name)
    scale = 0.52 if n == 2 else 0.44
    for at, letter in enumerate(name):
        # From the upper left to the lower right, as Unicode's own charts draw them.
        x = (width - width * scale) * at / (n - 1)
        y = 760 * (1 - at / (n - 1))
        pen.addComponent(cmap[ord(letter)], (scale, 0, 0, scale, round(x), round(y)))
    glyph = f"picture{code}"
    added[glyph] = (0x2421 if name == "DEL" else 0x2400 + code, pen.glyph())
font.setGlyphOrder(order + list(added))
for glyph, (code, outline) in added.items():
    glyf.glyphs[glyph] = outline
    font["hmtx"][glyph] = (width, 0)
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap[code] = glyph
# Letters only serve the pictures.
for table in font["cmap"].tables:
    for letter in letters:
        table.cmap.pop(ord(letter), None)
font["maxp"].numGlyphs = len(font.getGlyphOrder())
for record in (1, 4, 6, 16):
    font["name"].setName("runlog signs" if record != 6 else "runlog-signs", record, 3, 1, 0x409)
font["post"].formatType = 3.0
font.flavor = "woff2"
font.save(sys.argv[2])
