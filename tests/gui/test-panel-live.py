#!/usr/bin/python3
"""The stop-mode panel on the lab's running Xen: connect, look, break, step, run, freeze.

One machine is booted for all of it. Skips where the lab cannot run.
"""
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import session  # noqa: E402

SPEC = importlib.util.spec_from_file_location('panel', os.path.join(HERE, 'test-panel.py'))
panel = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(panel)

sys.path.insert(0, os.path.join(panel.SOURCE, 'tests/lab'))
from lablib import machine, scenario  # noqa: E402

GUESTS = ('dom0', 'linux1', 'linux2')
SLEEPER = 'linux2_sleep'  # it waits for ever
BREAK = 'linux2:::kernel_clone'
FREEZE_S = 600


class Lab:
    """The machine that boots, and what its console says."""

    def __init__(self, directory):
        os.mkdir(directory)
        self.socket = os.path.join(directory, 'gdb')
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(panel.SOURCE, 'tests/lab/boot'), 'demo', '--gdb',
             'unix:' + self.socket, '--dir', directory],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.runs = self.process.stdout.readline().startswith('ready')
        self.target = 'gdb:unix:' + self.socket
        self.system = os.path.join(directory, 'system.ini')

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    @staticmethod
    def ram():
        """BASE+LENGTH of the machine's RAM."""
        loaded = scenario.load('demo')
        return '0x%x+0x%x' % (machine.BOARDS[loaded.machine].ram_base, loaded.ram_mib << 20)


def contents(window):
    """The selected task's registers and call chain, once both are those of one that sleeps."""
    def both():
        chain = window.cells('Call stack')
        registers = window.cells('Registers')
        frames = [c for c in chain if c.startswith('0x')]
        if [c for c in chain if '__schedule' in c] and 'saved task' in registers:
            return [c for c in registers if c.startswith('0x')], frames
        return None

    return window.wait(both, 'its registers and call chain')


def press(window, name):
    button = window.await_object('push button', name)
    window.wait(lambda: button.getState().contains(window.atspi.STATE_SENSITIVE),
                'the button ' + name)
    window.click(button)


def choose(window, guest, name):
    window.key('ctrl+shift+t')
    window.await_object('text', 'Filter tasks')
    window.key('ctrl+a')
    window.type('%s %s ' % (guest, name))
    window.await_label('1 of ')
    window.key('Return')
    window.await_label(name + ' (')


def marker_of(window, guest, tid, name):
    """Asks the console where the marker is, and shows it in the memory view."""
    window.page('Console')
    window.enter('Command line', 'find %s %d LABXEN-MARKER' % (guest, tid))
    found = window.wait(lambda: re.findall(r'0x([0-9a-f]+)  pa:.*MARKER:' + name,
                                           window.console()), 'the marker')
    window.page('Memory')
    window.enter('Memory address', '%s:::%d::0x%s' % (guest, tid, found[0]))
    window.await_cell('Memory', 'LABXEN-MARKER:'[:16])
    return found[0]


def walk(lab, directory):
    window = panel.Panel(panel.GUI)
    window.key('ctrl+t')
    window.await_object('dialog', 'Connect to a target')
    session.xdotool('search', '--onlyvisible', '--name', 'Connect to a target', 'windowfocus',
                    '--sync')
    window.fill('Where', 'unix:' + lab.socket)
    window.fill('System file', lab.system)
    window.key('Return')
    for name in ('Xen',) + GUESTS + ('front', 'back'):
        window.await_cell('System', name)
    window.page('Tasks')
    for name in (SLEEPER, 'linux1_calc', 'dom0_io'):
        window.await_cell('Tasks', name)
    choose(window, 'linux2', SLEEPER)
    heading = window.await_label(SLEEPER + ' (').name
    tid = int(re.search(r'\((\d+)\)', heading).group(1))
    window.await_cell('Registers', 'pc')
    window.await_cell('Call stack', '__schedule')
    address = marker_of(window, 'linux2', tid, SLEEPER)

    # A breakpoint of one machine; the others run the same kernel.
    window.page('Breakpoints')
    window.enter('Breakpoint address', BREAK)
    window.await_cell('Breakpoints', BREAK)
    window.key('F5')
    window.await_label('breakpoint 1 (%s): core' % BREAK)
    status = window.await_label('breakpoint 1 (').name
    assert ', linux2 vCPU' in status and 'kernel_clone' in status, status
    window.await_cell('Call stack', 'kernel_clone')
    title = session.xdotool('getwindowname', window.id)
    assert title.startswith('breakpoint 1 ('), title
    window.key('F7')
    window.await_label('stepped: core')
    window.await_cell('Call stack', 'kernel_clone+0x4')

    # It goes on, and is halted by hand.
    window.page('Breakpoints')
    window.click(window.wait(lambda: window.find('table cell', BREAK), 'its row'))
    press(window, 'Remove')
    window.wait(lambda: not [c for c in window.cells('Breakpoints') if BREAK in c], 'none left')
    window.key('F5')
    window.await_label('Running')
    window.key('F6')
    window.await_label('halted: core')

    # Frozen, and opened again: the same contents.
    choose(window, 'linux2', SLEEPER)
    seen = contents(window)
    frozen = os.path.join(directory, 'frozen.core')
    press(window, 'Freeze…')
    window.await_object('file chooser', 'Freeze')
    window.key('ctrl+a')
    window.type(frozen)
    session.xdotool('search', '--onlyvisible', '--name', 'Freeze', 'windowfocus', '--sync')
    window.fill('RAM', lab.ram())
    window.key('Return')
    patience, session.PATIENCE_S = session.PATIENCE_S, FREEZE_S
    window.await_text(frozen + ' written')
    session.PATIENCE_S = patience
    window.close()
    window = panel.Panel(panel.GUI, '--debug', 'core:' + frozen, '--system', lab.system)
    window.await_cell('System', 'linux2')
    window.page('Tasks')
    window.await_cell('Tasks', SLEEPER)
    choose(window, 'linux2', SLEEPER)
    again = contents(window)
    assert again == seen, (seen, again)
    window.enter('Memory address', 'linux2:::%d::0x%s' % (tid, address))
    window.await_cell('Memory', 'LABXEN-MARKER:'[:16])
    window.close()


def lost(lab):
    """The target goes away: what was seen last stays, and a word says so."""
    window = panel.Panel(panel.GUI, '--debug', lab.target, '--system', lab.system)
    window.await_cell('System', 'linux2')
    window.page('Tasks')
    window.await_cell('Tasks', SLEEPER)
    lab.close()
    window.key('F5')
    window.await_label('what is shown was seen last')
    window.await_cell('Tasks', SLEEPER)
    window.close()


def main():
    session.enter()
    session.PATIENCE_S = 120  # the machine is emulated, and others may run beside it
    directory = tempfile.mkdtemp(prefix='hvscope-test-')
    lab = Lab(os.path.join(directory, 'lab'))
    try:
        if not lab.runs:
            print('1..0 # SKIP the lab cannot run here')
            return 0
        print('1..2')
        for number, test in enumerate((lambda: walk(lab, directory), lambda: lost(lab)), 1):
            try:
                test()
                print('ok %d gui_panel_live' % number, flush=True)
            except Exception:  # told as the test's result
                print('not ok %d gui_panel_live' % number)
                for line in traceback.format_exc().split('\n'):
                    print('# ' + line)
                return 1
        return 0
    finally:
        if lab.process.poll() is None:
            lab.close()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
