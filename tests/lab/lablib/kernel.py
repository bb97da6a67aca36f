"""An ELF file with symbols and types out of Linux's raw Image.

Debian's image package carries no symbols (its debug package is 262 MB), but the
Image holds much of them: kallsyms (functions only, there is no KALLSYMS_ALL), the
table of exported symbols (variables too, init_task among them) and BTF (types). This
reads them (formats: kernel/kallsyms.c, scripts/kallsyms.c, include/linux/export.h and
bpf/btf.rst of 6.1) and writes an ELF with the Image as .text, .BTF, .symtab and the
build id, at the link-time address.
"""

import array
import re
import struct

from .paths import LabError

# The 256-entry token table of kallsyms always holds each digit as itself.
_DIGITS = b"0\0" b"1\0" b"2\0" b"3\0" b"4\0" b"5\0" b"6\0" b"7\0" b"8\0" b"9\0"
# arm64 of 6.1 with 48-bit addresses, as Debian's: 128 MiB (modules) into the upper half.
_BASE = 0xffff800008000000
# _stext, the lowest symbol and so the base of kallsyms, lies SEGMENT_ALIGN further on.
_TEXT = _BASE + 0x10000


def _align(offset, to):
    return (offset + to - 1) & -to


def _token_tables(image):
    """Offset of the token table and the token index behind it."""
    for match in re.finditer(re.escape(_DIGITS), image):
        for at in range(_align(match.end(), 2), match.end() + 4096, 2):
            index = struct.unpack_from("<256H", image, at)
            if index[0] == 0 and index[ord("1")] - index[ord("0")] == 2 and \
                    all(a < b for a, b in zip(index, index[1:])):
                table = match.start() - index[ord("0")]
                if index[255] < at - table <= index[255] + 64:
                    return table, index
    raise LabError("lab: the kernel's image holds no kallsyms token table")


def _next_name(image, at):
    length = image[at]
    at += 1
    if length & 0x80:
        length = (length & 0x7f) | image[at] << 7
        at += 1
    return at, length


def _names_at(image, at, count):
    """Offsets of the names' bytes and the end, or None where there are no names."""
    found = []
    for _ in range(count):
        at, length = _next_name(image, at)
        if not 2 <= length <= 512 or at + length >= len(image):
            return None
        found.append((at, length))
        at += length
    return found, at


def _names(image, table):
    """The names: the u32 count lies before them, and behind them markers, the offset of
    each 256th name; that is how they are known. Between these and the token table some
    kernels have a list by name."""
    for at in range((table - (8 << 20)) & -8, table, 8):
        count, zero = struct.unpack_from("<II", image, at - 8)
        if zero or not 10000 < count < 500000 or not _names_at(image, at, 256):
            continue
        names = _names_at(image, at, count)
        if not names:
            continue
        markers = _align(names[1], 4)
        for start in (markers, markers + 4):
            first, second = struct.unpack_from("<II", image, start)
            # A marker is the offset of the length byte, one or two before the name.
            if first == 0 and second in (names[0][256][0] - at - 1, names[0][256][0] - at - 2):
                return at, names[0]
    raise LabError("lab: the kernel's image holds no kallsyms names")


def symbols(image):
    """(name, type letter, address) of every symbol, in address order."""
    table, index = _token_tables(image)
    tokens = []
    for offset in index:
        tokens.append(image[table + offset:image.index(b"\0", table + offset)].decode())
    at, names = _names(image, table)
    # Before the count, the base (filled in by a relocation), and before it the offsets.
    offsets = struct.unpack_from(f"<{len(names)}I", image, (at - 8 - 8 - 4 * len(names)) & -8)
    if list(offsets) != sorted(offsets):
        raise LabError("lab: the kernel's kallsyms offsets are not where 6.1 has them")
    texts = ["".join(map(tokens.__getitem__, image[start:start + length]))
             for start, length in names]
    return [(text[1:], text[0], _TEXT + offset) for text, offset in zip(texts, offsets)]


def exported(image):
    """Name to address of the exported symbols: entries of three place-relative words,
    value, name and namespace."""
    where = image.find(b"\0init_task\0") + 1
    words = array.array("i", image[:len(image) & -4])
    at = next((i for i, word in enumerate(words) if 4 * i + word == where and i), None)
    if not where or at is None:
        raise LabError("lab: the kernel's image exports no init_task")

    def entry(index):
        value, name = 4 * index + words[index], 4 * (index + 1) + words[index + 1]
        if 0 < name < len(image):
            text = image[name:image.index(b"\0", name)]
            if re.fullmatch(rb"[A-Za-z_][A-Za-z0-9_.]*", text):
                return text.decode(), _BASE + value
        return None

    found = {}
    for step in (-3, 3):
        index = at - 1
        while (pair := entry(index)) is not None:
            found[pair[0]] = pair[1]
            index += step
    return found


def _swapper(image, address):
    """swapper_pg_dir, which the first ADRP into x1 of secondary_startup forms."""
    start = address["secondary_startup"] - _BASE
    for at in range(start, start + 64, 4):
        word = struct.unpack_from("<I", image, at)[0]
        if word & 0x9F00001F == 0x90000001:
            pages = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
            pages -= (pages & 1 << 20) << 1
            return ((address["secondary_startup"] + at - start) & -4096) + (pages << 12)
    return None


def _types(image):
    """The BTF blob: magic, version 1, no flags, a header of 24 bytes."""
    at = image.find(b"\x9f\xeb\x01\x00\x18\x00\x00\x00")
    if at < 0:
        return b""
    types, types_bytes, strings, strings_bytes = struct.unpack_from("<IIII", image, at + 8)
    return image[at:at + 24 + max(types + types_bytes, strings + strings_bytes)]


def _build_id(image):
    """The note of the build id: name "GNU", type 3, 20 bytes."""
    at = image.find(struct.pack("<III", 4, 20, 3) + b"GNU\0")
    return image[at:at + 36] if at >= 0 else b""


def write_elf(image_path, out_path):
    image = image_path.read_bytes()
    found = symbols(image)
    address = {name: value for name, _, value in found}
    found += [(name, "D", value) for name, value in exported(image).items()
              if name not in address]
    found.append(("_text", "T", _BASE))
    swapper = _swapper(image, address)
    if swapper:
        found.append(("swapper_pg_dir", "D", swapper))
    base = _BASE
    strings, table = bytearray(b"\0"), bytearray(24)
    for name, letter, value in found:
        kind = 2 if letter in "tTwW" else 1
        section = 1 if base <= value < base + len(image) else 0xfff1
        table += struct.pack("<IBBHQQ", len(strings), 1 << 4 | kind, 0, section, value, 0)
        strings += name.encode() + b"\0"
    # Local symbols must come first; kallsyms mixes them, so call none of them local.
    sections = [(".text", 1, 6, base, image, 0, 0, 4096, 0)]
    for name, kind, data in ((".BTF", 1, _types(image)), (".notes", 7, _build_id(image))):
        if data:
            sections.append((name, kind, 0, 0, data, 0, 0, 4, 0))
    sections.append((".symtab", 2, 0, 0, bytes(table), len(sections) + 2, 1, 8, 24))
    sections.append((".strtab", 3, 0, 0, bytes(strings), 0, 0, 1, 0))
    _write_sections(out_path, base, sections)


def _write_sections(out_path, entry, sections):
    """An ELF file of the sections given as (name, type, flags, address, bytes, link, info,
    alignment, entry size), the first also as its one segment."""
    names = b"\0" + b"".join(s[0].encode() + b"\0" for s in sections) + b".shstrtab\0"
    sections = sections + [(".shstrtab", 3, 0, 0, names, 0, 0, 1, 0)]
    headers, body, offset = [bytes(64)], b"", 64 + 56
    for name, kind, flags, address, data, link, info, alignment, entry_size in sections:
        pad = -offset % alignment
        body += bytes(pad)
        offset += pad
        headers.append(struct.pack("<IIQQQQIIQQ", names.index(name.encode() + b"\0"), kind, flags,
                                   address, offset, len(data), link, info, alignment, entry_size))
        body += data
        offset += len(data)
    pad = -offset % 8
    first = struct.unpack_from("<QQQ", headers[1], 16)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, entry, 64, offset + pad, 0, 64, 56,
                                 1, 64, len(headers), len(headers) - 1)
    segment = struct.pack("<IIQQQQQQ", 1, 5, first[1], first[0], first[0], first[2], first[2], 4096)
    with open(out_path, "wb") as out:
        out.write(header + segment + body + bytes(pad) + b"".join(headers))
