#!/usr/bin/python3
"""The stop-mode panel on a dump, driven by keyboard and pointer, and read over AT-SPI.

Whatever it shows is compared with what `hvscope debug` says of the same dump.
"""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import session  # noqa: E402

SOURCE = os.environ['HVSCOPE_SOURCE_ROOT']
BUILD = os.environ['HVSCOPE_BUILD_ROOT']
GUI = os.path.join(BUILD, 'gui/hvscope-gui')
HVSCOPE = os.path.join(BUILD, 'cli/hvscope')
DATA = os.path.join(os.environ.get('HVSCOPE_DATA', os.path.join(SOURCE, '../shared/data')),
                    'dump-xen-128m')
MARKER = 'LABXEN-MARKER:domu2_io:40'


class Panel(session.Window):
    """hvscope-gui with the debugger's page, and the same questions asked of hvscope."""

    def table(self, name):
        for role in ('tree table', 'table'):
            found = self.find(role, name)
            if found:
                return found
        return None

    def cells(self, name):
        """The texts of a list, in its order."""
        table = self.table(name)
        if not table:
            return []
        return [(table.getChildAtIndex(i).name or '') for i in range(min(table.childCount, 3000))]

    def await_cell(self, name, text):
        return self.wait(lambda: [c for c in self.cells(name) if text in c],
                         '"%s" in %s' % (text, name))

    def await_label(self, text):
        return self.wait(lambda: self.find('label', text), 'the label "%s"' % text)

    def page(self, title):
        """Clicks the tab of that name."""
        tab = self.await_object('page tab', title)
        self.click(tab)
        self.wait(lambda: tab.getState().contains(self.atspi.STATE_SELECTED), 'page ' + title)

    def click(self, thing, part=2):
        extents = thing.queryComponent().getExtents(self.atspi.DESKTOP_COORDS)
        session.xdotool('mousemove', extents.x + extents.width // part,
                        extents.y + extents.height // 2, 'click', 1)

    def fill(self, name, text):
        """Types into the entry of that name."""
        entry = self.await_object('text', name)
        self.click(entry, 3)
        self.wait(lambda: entry.getState().contains(self.atspi.STATE_FOCUSED), 'its focus')
        self.key('ctrl+a')
        self.type(text)
        self.wait(lambda: entry.queryText().getText(0, -1) == text, 'what was typed')

    def enter(self, name, text):
        self.fill(name, text)
        self.key('Return')

    def choose_task(self, machine, tid):
        self.key('ctrl+shift+t')
        self.await_object('text', 'Filter tasks')
        self.key('ctrl+a')
        self.type('%s %d ' % (machine, tid))
        self.await_label('1 of ')
        self.key('Return')
        self.await_label('(%d), ' % tid)

    def console(self):
        """What the console has printed."""
        return self.await_object('text', 'Console output').queryText().getText(0, -1)


def system_file(directory):
    path = os.path.join(directory, 'system.ini')
    lines = ['[system]', 'hypervisor = xen', '[machine 0]', 'kind = xen',
             'symbols = %s/xen-syms' % DATA]
    for number, name in ((1, 'dom0'), (2, 'domu1'), (3, 'domu2')):
        lines += ['[machine %d]' % number, 'kind = linux', 'name = ' + name,
                  'symbols = %s/vmlinux-mini.zst' % DATA]
    lines += ['[machine 4]', 'kind = bare', 'name = bare', 'symbols = %s/bm.elf' % DATA]
    with open(path, 'w') as file:
        file.write('\n'.join(lines) + '\n')
    return path


def unpack(directory):
    path = os.path.join(directory, 'ram.bin')
    with open(path, 'wb') as file:
        subprocess.run(['xz', '-dc', os.path.join(DATA, 'ram.bin.xz')], stdout=file, check=True)
    return 'ram:%s+%s/state.json' % (path, DATA)


def ask(target, system, *command):
    return json.loads(subprocess.run(
        [HVSCOPE, 'debug', '--target', target, '--system', system, '--json'] + list(command),
        check=True, capture_output=True, text=True).stdout)


def check_task(window, target, system, machine, tid):
    """Registers and stack of one task are what hvscope says of them."""
    registers = ask(target, system, 'regs', '--task', '%s:::%d' % (machine, tid))
    chain = ask(target, system, 'bt', '%s:::%d' % (machine, tid))[0]['frames']
    window.choose_task(machine, tid)
    for register in registers['kernel'] + registers['user']:
        window.await_cell('Registers', '0x%016x' % int(register['value'], 16))
    for frame in chain:
        window.await_cell('Call stack', '0x%016x' % int(frame['pc'], 16))
        if frame['function']:
            window.await_cell('Call stack', frame['function'])


def open_panel(directory):
    target, system = unpack(directory), system_file(directory)
    window = Panel(GUI, '--debug', target, '--system', system)
    window.await_cell('System', 'domu2_io')
    return window, target, system


def test_gui_panel_connects_by_the_dialog(directory):
    target, system = unpack(directory), system_file(directory)
    window = Panel(GUI)
    window.key('ctrl+t')
    window.await_object('dialog', 'Connect to a target')
    window.click(window.await_object('combo box', 'Connect by'))
    window.click(window.await_object('menu item', 'raw image'))
    window.wait(lambda: not window.find('menu item', 'raw image'), 'the choice to close')
    # Without a window manager nobody gives the dialog the keyboard back.
    session.xdotool('search', '--onlyvisible', '--name', 'Connect to a target', 'windowfocus',
                    '--sync')
    window.fill('Where', target[len('ram:'):])
    window.fill('System file', system)
    window.key('Return')
    tasks = ask(target, system, 'tasks')
    for machine in ('xen', 'dom0', 'domu1', 'domu2', 'bare'):
        window.await_cell('System', machine)
    for task in tasks:
        if not task['kernel'] and task['pid'] == task['tid']:
            window.await_cell('System', '%s (%d)' % (task['name'], task['tid']))
    window.await_cell('System', 'inactive')
    window.await_cell('System', 'live on core')
    window.page('Tasks')
    window.await_label('%d tasks' % len(tasks))
    # It is remembered.
    window.key('ctrl+t')
    window.await_cell('Recent targets', target)
    window.key('Escape')
    window.close()


def test_gui_panel_shows_a_sleeping_task(directory):
    window, target, system = open_panel(directory)
    check_task(window, target, system, 'domu2', 40)
    hit = [h for h in ask(target, system, 'find', 'domu2', '40', MARKER)
           if h['text'].startswith(MARKER)][0]
    window.enter('Memory address', 'domu2:::40::' + hit['address'])
    window.await_cell('Memory', MARKER[:16])
    window.page('Translation')
    window.enter('Address to translate', 'domu2:::40::' + hit['address'])
    for step in ask(target, system, 'translate', 'domu2:::40::' + hit['address'])['steps']:
        window.await_cell('Translation steps', '0x%016x' % int(step['descriptor'], 16))
    window.await_label('pa:' + hit['pa'])
    window.page('Page tables')
    window.await_object('push button', 'Show').queryAction().doAction(0)
    for mapping in ask(target, system, 'pagetable', 'domu2', '40')[:5]:
        window.await_cell('Page tables', '0x%016x' % int(mapping['input'], 16))
    window.page('Waits')
    waits = ask(target, system, 'waits')
    window.await_label('%d tasks wait' % len(waits))
    window.page('Console')
    window.enter('Command line', 'print domu2:::init_task.pid')
    window.wait(lambda: ') 0' in window.console(), 'an answer in the console')
    window.enter('Command line', 'nonsense')
    window.wait(lambda: "no command 'nonsense'" in window.console(), 'an honest answer')
    window.close()


def test_gui_panel_freezes_and_opens_it_again(directory):
    window, target, system = open_panel(directory)
    frozen = os.path.join(directory, 'frozen.core')
    window.key('ctrl+shift+p')
    window.await_object('dialog', 'Command palette')
    window.type('freeze')
    window.key('Return')
    window.await_object('file chooser', 'Freeze')
    window.key('ctrl+a')
    window.type(frozen)
    window.key('Return')
    window.await_text(frozen + ' written')
    window.close()
    window = Panel(GUI, '--debug', 'core:' + frozen, '--system', system)
    window.await_cell('System', 'domu2_io')
    check_task(window, target, system, 'domu2', 40)
    # What was seen stays when it is let go.
    window.await_object('push button', 'Disconnect').queryAction().doAction(0)
    window.await_label('what is shown was seen last')
    window.await_cell('Tasks', 'domu2_io')
    window.close()


def test_gui_panel_says_what_is_wrong(directory):
    system = system_file(directory)
    window = Panel(GUI, '--debug', 'core:' + os.path.join(directory, 'absent'), '--system', system)
    window.await_text('absent')
    window.await_label('No target')
    window.close()


def main():
    if not os.path.exists(os.path.join(DATA, 'ram.bin.xz')):
        print('1..0 # SKIP the data has no dump-xen-128m')
        return
    session.main(globals())


if __name__ == '__main__':
    main()
