#!/usr/bin/python3
"""One command from a board to a timeline: `hvscope capture --open` on the simulated board,
behind a real OpenOCD, and the window that it opens, read over AT-SPI."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ['HVSCOPE_SOURCE_ROOT']
BUILD = os.environ['HVSCOPE_BUILD_ROOT']
sys.path.insert(0, os.path.join(SOURCE, 'tests/gui'))
import session  # noqa: E402

HVSCOPE = os.path.join(BUILD, 'cli/hvscope')
SIMULATOR = os.path.join(BUILD, 'tests/sim/sim-zynqmp')
SAMPLE = os.path.join(SOURCE, 'samples/overcommit')
TRACE_IDS = (0x10, 0x11)
FRAME_BYTES = 16
# What each trace unit emits: long enough for the run, short enough to take apart here.
FRAMES = 40000
PATIENCE_S = 60
CONFIGURATION = """adapter driver remote_bitbang
remote_bitbang host %s
transport select jtag
reset_config none
gdb_port disabled
telnet_port disabled
source [find target/xilinx_zynqmp.cfg]
target create uscale.apb mem_ap -dap uscale.dap -ap-num 1
tcl_port 0
init
"""


def streams(frames):
    """The bytes of each trace ID (CoreSight Architecture, IHI 0029, frame format)."""
    found, trace_id = {}, 0
    for at in range(0, len(frames) - FRAME_BYTES + 1, FRAME_BYTES):
        frame = frames[at:at + FRAME_BYTES]
        later = None
        for i in range(FRAME_BYTES - 1):
            byte, flag = frame[i], frame[FRAME_BYTES - 1] >> (i // 2) & 1
            if i % 2 == 0 and byte & 1:
                if flag:
                    later = byte >> 1
                else:
                    trace_id = byte >> 1
                continue
            if i % 2 == 0:
                byte |= flag
            found.setdefault(trace_id, bytearray()).append(byte)
            if later is not None:
                trace_id, later = later, None
        if later is not None:
            trace_id = later
    return found


class Opened(session.Window):
    """A window that another program opened."""

    class Process:
        """The little of a subprocess that Window asks for."""

        def __init__(self):
            self.pid = self.returncode = None

        def poll(self):
            return None

    def __init__(self):  # pylint: disable=super-init-not-called
        import pyatspi
        self.atspi = pyatspi
        self.process = self.Process()
        self.application = self.wait(self._find_by_name, 'hvscope-gui over AT-SPI')
        self.process.pid = self.application.get_process_id()
        self.id = self.wait(self._find_window, 'its window')
        self.focus()

    def _find_by_name(self):
        for application in self.atspi.Registry.getDesktop(0):
            if application and 'hvscope' in (application.name or ''):
                return application
        return None

    def close(self):
        os.kill(self.process.pid, signal.SIGTERM)


def feed(directory):
    with open(os.path.join(SAMPLE, 'cstrace.bin'), 'rb') as file:
        found = streams(file.read(FRAMES * FRAME_BYTES))
    paths = []
    for trace_id in TRACE_IDS:
        paths.append(os.path.join(directory, 'etm%x' % trace_id))
        with open(paths[-1], 'wb') as file:
            file.write(found[trace_id])
    return paths


def await_port(log, process):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        with open(log, encoding='utf-8', errors='replace') as file:
            found = re.search(r'port (\d+) for tcl connections', file.read())
        if found:
            return int(found.group(1))
        time.sleep(0.05)
    with open(log, encoding='utf-8', errors='replace') as file:
        raise AssertionError('openocd does not come up: ' + file.read()[-2000:])


def capture(directory, socket, log):
    """Exit status and output of the one command."""
    config = os.path.join(directory, 'openocd.cfg')
    with open(config, 'w', encoding='ascii') as file:
        file.write(CONFIGURATION % socket)
    with open(log, 'w', encoding='utf-8') as out:
        openocd = subprocess.Popen(['openocd', '-f', config], stdout=out, stderr=out)
    try:
        port = await_port(log, openocd)
        return subprocess.run(
            [HVSCOPE, 'capture', '--board', 'zynqmp', '--link', 'openocd:127.0.0.1:%d' % port,
             '--sink', 'etr', '--etr-buffer', '0x60000000+1M', '--preset', 'full', '--cores',
             '0,1', '--for', '300ms', '-o', os.path.join(directory, 'capture'), '--open'],
            capture_output=True, text=True, check=False)
    finally:
        openocd.kill()
        openocd.wait()


def test(directory):
    socket = os.path.join(directory, 'jtag')
    simulator = subprocess.Popen([SIMULATOR, socket] + feed(directory), stdin=subprocess.PIPE)
    try:
        done = capture(directory, socket, os.path.join(directory, 'openocd.log'))
    finally:
        simulator.stdin.close()
        simulator.wait()
    assert done.returncode == 0, done.stdout + done.stderr
    window = Opened()
    try:
        window.await_description('Shows 0')
        recording = os.path.join(directory, 'again.hvs')
        subprocess.run([HVSCOPE, 'decode', os.path.join(directory, 'capture'), '-o', recording],
                       check=True, capture_output=True)
        report = subprocess.run([HVSCOPE, 'report', 'time', recording], check=True,
                                capture_output=True, text=True).stdout
        assert 'VMID' in report, report
        # The line that every report ends with.
        window.await_text(report.strip().split('\n')[-1])
    finally:
        window.close()


def main():
    session.enter()
    if not shutil.which('openocd'):
        print('1..0 # SKIP openocd is not installed')
        return 0
    directory = tempfile.mkdtemp(prefix='hvscope-open-')
    print('1..1')
    try:
        test(directory)
        print('ok 1 sim-open/timeline')
    except Exception as error:  # pylint: disable=broad-except
        print('not ok 1 sim-open/timeline')
        for line in str(error).splitlines():
            print('# ' + line)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
