"""The little of gdb's remote protocol that reads every register of a halted QEMU.

One connection, no breakpoints, no resume. The product has its own client; this one
is the lab's, so that a dump does not depend on what it is to test.
"""

import re
import socket

from .paths import LabError


class GdbRemote:
    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._pending = b""
        self._socket.sendall(b"+")
        self._ask("qSupported:multiprocess+;xmlRegisters=aarch64")
        self._ask("QStartNoAckMode")
        self._socket.sendall(b"+")
        self.registers = self._describe()

    def close(self):
        """Leaves the machine as it is: halted."""
        self._socket.close()

    def threads(self):
        """The thread ids, one a core, in QEMU's order."""
        found, reply = [], self._ask("qfThreadInfo")
        while reply.startswith("m"):
            found += reply[1:].split(",")
            reply = self._ask("qsThreadInfo")
        return found

    def read(self, thread):
        """Every register of a core: name to value (vectors as one large number)."""
        if self._ask(f"Hg{thread}") != "OK":
            raise LabError(f"lab: the gdbstub has no thread {thread}")
        values = {}
        for name, number in self.registers:
            reply = self._ask(f"p{number:x}")
            if reply and not reply.startswith("E"):
                values[name] = int.from_bytes(bytes.fromhex(reply), "little")
        return values

    def _describe(self):
        """The target description: (name, number) of each register."""
        found, number, todo = [], 0, ["target.xml"]
        while todo:
            name = todo.pop(0)
            text = self._transfer(name)
            todo += re.findall(r'<xi:include\s+href="([^"]+)"', text)
            for tag in re.findall(r"<reg\s[^>]*>", text):
                attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
                number = int(attributes.get("regnum", number))
                found.append((attributes["name"], number))
                number += 1
        return found

    def _transfer(self, annex):
        text, offset = "", 0
        while True:
            reply = self._ask(f"qXfer:features:read:{annex}:{offset:x},7f0")
            if not reply or reply[0] not in "ml":
                raise LabError(f"lab: the gdbstub gives no {annex}: '{reply[:40]}'")
            text += reply[1:]
            offset += len(reply) - 1
            if reply[0] == "l":
                return text

    def _ask(self, command):
        body = command.encode()
        self._socket.sendall(b"$" + body + b"#%02x" % (sum(body) & 0xff))
        return self._packet()

    def _packet(self):
        while True:
            match = re.search(rb"\$([^#]*)#[0-9a-fA-F]{2}", self._pending, re.DOTALL)
            if match:
                self._pending = self._pending[match.end():]
                # A stop report is nobody's reply here.
                if re.match(rb"[TS][0-9a-f]{2}", match.group(1)):
                    continue
                return re.sub(rb"\}(.)", lambda m: bytes([m.group(1)[0] ^ 0x20]), match.group(1),
                              flags=re.DOTALL).decode("latin-1")
            data = self._socket.recv(65536)
            if not data:
                raise LabError("lab: QEMU closed its gdbstub")
            self._pending += data
