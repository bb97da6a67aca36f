"""A display, a session bus and hvscope-gui in them, driven as a user would.

Keys and pointer go through the X server (xdotool); what is shown is read over
AT-SPI, as a screen reader reads it. Must run inside dbus-run-session: enter()
sees to that.
"""
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

try:
    from gi.repository import GLib
except ImportError:  # enter() says so
    GLib = None

PATIENCE_S = 40


def enter():
    """Starts this program again on a bus and a display of its own."""
    if os.environ.get('HVSCOPE_GUI_SESSION'):
        # What the bus and its services print is no test result: ours has a way of its own.
        sys.stdout = os.fdopen(int(os.environ['HVSCOPE_GUI_STDOUT']), 'w')
        return
    missing = [p for p in ('Xvfb', 'xdotool', 'dbus-run-session') if not shutil.which(p)]
    try:
        import pyatspi  # noqa: F401
    except ImportError:
        missing.append('python3-pyatspi')
    if missing:
        print('1..0 # SKIP missing: ' + ', '.join(missing))
        sys.exit(0)
    home = tempfile.mkdtemp(prefix='hvscope-gui-')
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ['Xvfb', '-displayfd', str(writing), '-screen', '0', '1600x1000x24', '-nolisten', 'tcp',
         '-noreset'],
        pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    display = ':' + os.read(reading, 32).decode().strip()
    environment = dict(os.environ, HVSCOPE_GUI_SESSION=home, DISPLAY=display, HOME=home,
                       XDG_RUNTIME_DIR=home, GDK_BACKEND='x11',
                       GSETTINGS_BACKEND='memory', LC_ALL='C.UTF-8')
    results = os.dup(sys.stdout.fileno())
    environment['HVSCOPE_GUI_STDOUT'] = str(results)
    environment.pop('NO_AT_BRIDGE', None)
    environment.pop('G_DEBUG', None)
    environment.pop('GTK_THEME', None)
    try:
        code = subprocess.call(['dbus-run-session', '--', sys.executable] + sys.argv,
                               env=environment, stdout=sys.stderr, stderr=sys.stderr,
                               pass_fds=[results])
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(home, ignore_errors=True)
    sys.exit(code)


def xdotool(*arguments):
    return subprocess.run(['xdotool'] + [str(a) for a in arguments], check=True,
                          capture_output=True, text=True).stdout.strip()


def steady(method):
    """Looked at while it changes, an object may go away: then it is looked at again."""
    @functools.wraps(method)
    def looked(self, *arguments):
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return method(self, *arguments)
            except GLib.GError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.05)
    return looked


class Window:
    """One running hvscope-gui."""

    def __init__(self, program, *paths, **environment):
        import pyatspi
        self.atspi = pyatspi
        self.log = tempfile.NamedTemporaryFile('w+', suffix='.log')
        self.process = subprocess.Popen([program] + [str(p) for p in paths], stdout=self.log,
                                        stderr=self.log, env=dict(os.environ, **environment))
        self.application = self.wait(self._find_application, 'the application over AT-SPI')
        self.id = self.wait(self._find_window, 'its window')
        self.focus()

    def _find_application(self):
        for application in self.atspi.Registry.getDesktop(0):
            if application and application.get_process_id() == self.process.pid:
                return application
        return None

    def _find_window(self):
        found = subprocess.run(['xdotool', 'search', '--onlyvisible', '--pid',
                                str(self.process.pid)], capture_output=True, text=True).stdout
        best = None
        for line in found.split():
            size = xdotool('getwindowgeometry', '--shell', line)
            if 'WIDTH=1' in size:
                best = line
        return best

    def wait(self, condition, what):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                self.log.seek(0)
                raise AssertionError('hvscope-gui ended with %s: %s' % (
                    self.process.returncode, self.log.read()[-2000:]))
            try:
                found = condition()
            except Exception:  # an object that went away while it was looked at
                found = None
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError('waited in vain for ' + what)

    def focus(self):
        xdotool('windowfocus', '--sync', self.id)

    def objects(self, node=None):
        node = node or self.application
        yield node
        for i in range(min(node.childCount, 3000)):
            child = node.getChildAtIndex(i)
            if child:
                yield from self.objects(child)

    @steady
    def find(self, role, name=''):
        """The first showing object of that role whose name holds `name`."""
        for thing in self.objects():
            if thing.getRoleName() == role and name in (thing.name or '') and \
                    thing.getState().contains(self.atspi.STATE_SHOWING):
                return thing
        return None

    def await_object(self, role, name=''):
        return self.wait(lambda: self.find(role, name), '%s "%s"' % (role, name))

    @steady
    def chart(self):
        return self.await_object('chart', 'Timeline of')

    @steady
    def description(self):
        return self.chart().description

    def await_description(self, text):
        return self.wait(lambda: text in self.description() and self.description(),
                         'the chart to say "%s"' % text)

    @steady
    def texts(self):
        """Everything that labels and cells say, as one text."""
        lines = []
        for thing in self.objects():
            if thing.getRoleName() in ('label', 'table cell', 'alert', 'info bar'):
                lines.append(thing.name or '')
        return '\n'.join(lines)

    @steady
    def rows(self, name):
        """The showing table of that name, as lists of texts; its columns' titles first."""
        table = self.await_object('table', name).queryTable()
        titles = [table.getColumnDescription(c) for c in range(table.nColumns)]
        return [titles] + [[table.getAccessibleAt(r, c).name for c in range(table.nColumns)]
                           for r in range(table.nRows)]

    @steady
    def charts(self):
        """All charts that are recordings, from above."""
        return [t for t in self.objects() if t.getRoleName() == 'chart' and
                (t.name or '').startswith('Timeline of')]

    def await_text(self, text):
        return self.wait(lambda: text in self.texts(), 'the text "%s"' % text)

    def key(self, *keys):
        for key in keys:
            xdotool('key', key)

    def type(self, text):
        xdotool('type', '--delay', 5, text)

    @steady
    def place(self):
        """Left, top, width and height of the timeline on the screen."""
        extents = self.chart().queryComponent().getExtents(self.atspi.DESKTOP_COORDS)
        return extents.x, extents.y, extents.width, extents.height

    def screenshot(self, path):
        """The window as a PNG, read from the X server."""
        subprocess.run(['import', '-window', self.id, path], check=True)

    def alive(self):
        return self.process.poll() is None

    def close(self):
        if self.alive():
            self.process.terminate()
            self.process.wait()
        self.log.seek(0)
        text = self.log.read()
        self.log.close()
        return text


def main(tests):
    """Runs the functions of that table whose names say so; each gets a directory of its own."""
    enter()
    chosen = [(name, fn) for name, fn in tests.items() if name.startswith('test_gui')]
    wanted = sys.argv[1:]
    chosen = [t for t in chosen if not wanted or t[0] in wanted]
    failed = 0
    print('1..%d' % len(chosen))
    for number, (name, fn) in enumerate(chosen, 1):
        directory = tempfile.mkdtemp(prefix='hvscope-test-')
        try:
            fn(directory)
            print('ok %d %s' % (number, name), flush=True)
        except Exception:
            failed += 1
            print('not ok %d %s' % (number, name))
            for line in traceback.format_exc().split('\n'):
                print('# ' + line)
            sys.stdout.flush()
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if failed else 0)
