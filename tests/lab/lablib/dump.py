"""The frozen dump of a halted machine: RAM and every register of every core.

dump.core is an ELF core (one PT_LOAD by physical address, one NT_PRSTATUS a core) with
a note HVSCOPE/1, whose text is JSON: {"ram_base", "ram_size", "cpus": [{register:
value}]}. QEMU's own dump has no system registers. state.json is the same text.
"""

import json
import os
import struct

from .gdbremote import GdbRemote
from .paths import LabError

PAGE = 4096
NT_PRSTATUS = 1
NOTE_REGISTERS = 1


def _note(owner, kind, data):
    name = owner.encode() + b"\0"
    return (struct.pack("<III", len(name), len(data), kind) + name + bytes(-len(name) % 4)
            + data + bytes(-len(data) % 4))


def _prstatus(number, registers):
    data = bytearray(392)
    struct.pack_into("<I", data, 32, number + 1)
    names = [f"x{i}" for i in range(31)] + ["sp", "pc", "cpsr"]
    values = [registers[name] & (1 << 64) - 1 for name in names]
    struct.pack_into("<34Q", data, 112, *values)
    return bytes(data)


def take(vm, folder, counter):
    """Writes dump.core and state.json of a halted Vm into `folder`. `counter` is CNTPCT_EL0,
    which QEMU's gdbstub does not show."""
    base, size = vm.machine.ram_base, vm.machine.ram_bytes
    gdb = GdbRemote(vm.gdb_path)
    try:
        cpus = [gdb.read(thread) for thread in gdb.threads()]
    finally:
        gdb.close()
    for cpu in cpus:
        cpu["CNTPCT_EL0"] = counter
    if not cpus or "pc" not in cpus[0] or "VTTBR_EL2" not in cpus[0]:
        raise LabError("lab: the gdbstub does not give the registers of EL2")
    state = {"ram_base": base, "ram_size": size, "cpus": cpus}
    text = json.dumps(state)
    (folder / "state.json").write_text(text + "\n")
    raw = folder / "ram.raw"
    vm.qmp("pmemsave", val=base, size=size, filename=str(raw))
    notes = b"".join(_note("CORE", NT_PRSTATUS, _prstatus(i, cpu)) for i, cpu in enumerate(cpus))
    notes += _note("HVSCOPE", NOTE_REGISTERS, text.encode())
    with open(raw, "rb") as ram, open(folder / "dump.core", "wb") as out:
        _write_core(out, notes, base, size, ram)
    os.unlink(raw)
    return state


def _write_core(out, notes, base, size, ram):
    start = (64 + 2 * 56 + len(notes) + PAGE - 1) & -PAGE
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    out.write(ident + struct.pack("<HHIQQQIHHHHHH", 4, 183, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0))
    out.write(struct.pack("<IIQQQQQQ", 4, 0, 64 + 2 * 56, 0, 0, len(notes), 0, 4))
    out.write(struct.pack("<IIQQQQQQ", 1, 7, start, base, base, size, size, PAGE))
    out.write(notes)
    # Most of the RAM is zero: leave holes instead.
    zeros = bytes(256 * PAGE)
    offset = start
    while block := ram.read(len(zeros)):
        if block != zeros[:len(block)]:
            for at in range(0, len(block), PAGE):
                page = block[at:at + PAGE]
                if page != zeros[:len(page)]:
                    out.seek(offset + at)
                    out.write(page)
        offset += len(block)
    out.truncate(start + size)
