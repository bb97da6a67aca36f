#!/usr/bin/python3
"""hvscope-gui with a recording of a frontend and its backend: tables, requests, filters, two
recordings, and recordings that lack something."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import session  # noqa: E402

BUILD = os.environ['HVSCOPE_BUILD_ROOT']
GUI = os.path.join(BUILD, 'gui/hvscope-gui')
HVSCOPE = os.path.join(BUILD, 'cli/hvscope')
WRITE = os.path.join(BUILD, 'tests/analysis/write-traffic-recording')
LABELS_PX = 176
RULER_PX = 28
LANE_PX = 25
SCALE = {'s': 10**9, 'ms': 10**6, 'us': 10**3, 'ns': 1}


def written(directory, *options, name='traffic.hvs'):
    path = os.path.join(directory, name)
    subprocess.run([WRITE, path] + list(options), check=True)
    return path


def report(recording, name, first, last):
    text = subprocess.run([HVSCOPE, 'report', name, '--json', '--from', '%dns' % first, '--to',
                           '%dns' % last, recording], check=True, capture_output=True,
                          text=True).stdout
    return json.loads(text)


def milliseconds(ns):
    """As durations are written: three decimals in the unit that suits."""
    for unit, size in (('s', 10**9), ('ms', 10**6), ('us', 10**3)):
        if ns >= size:
            return '%.3f %s' % ((int(ns) + size // 2000) // (size // 1000) / 1000, unit)
    return '%d ns' % ns


def nanoseconds(text):
    number, unit = text.split(' ')
    return round(float(number.replace(',', '')) * SCALE[unit])


def cell(key, value):
    """A value of a report as the window writes it."""
    if value is None:
        return '-'
    if isinstance(value, str):
        return value
    if key.endswith('_ns'):
        return milliseconds(value)
    if key in ('ready', 'exact', 'inferred', 'samples_share', 'time_share', 'error'):
        return '%.1f%%' % (value * 100)
    return '%d' % value


def rows_of(answer):
    """The first table of a report, wherever its JSON has it."""
    if 'rows' in answer:
        return answer['rows']
    return next(v['rows'] for v in answer.values() if isinstance(v, dict) and 'rows' in v)


def drag(window, first, last):
    """Selects by the pointer; the range in nanoseconds, as the window says it."""
    left, top, _, _ = window.place()
    y = top + RULER_PX + LANE_PX * 2
    session.xdotool('mousemove', left + LABELS_PX + first, y, 'mousedown', 1)
    session.xdotool('mousemove', left + LABELS_PX + (first + last) // 2, y)
    session.xdotool('mousemove', left + LABELS_PX + last, y, 'mouseup', 1)
    window.await_description('Range selected')
    window.await_text('Selected: ')
    lines = window.texts().split('\n')
    at = next(i for i, line in enumerate(lines) if line.startswith('Selected:'))
    return [nanoseconds(t) for t in lines[at + 1].split(' to ')]


def test_gui_tables_equal_reports(directory):
    recording = written(directory)
    window = session.Window(GUI, recording)
    window.await_description('Shows 0')
    first, last = drag(window, 90, 260)
    for key, title, name in (('alt+3', 'Schedule', 'sched'), ('alt+4', 'Exits', 'exits'),
                             ('alt+5', 'Latency', 'latency'), ('alt+6', 'Requests', 'backend')):
        window.key(key)
        answer = report(recording, name, first, last)
        if name == 'backend':
            # The report leads with the stages, the window with the requests themselves.
            expected = answer['requests']
            expected = expected['rows'] if isinstance(expected, dict) else expected
        else:
            expected = rows_of(answer)
        wanted = [[cell(k, v) for k, v in row.items()] for row in expected]
        assert wanted, name
        window.wait(lambda: window.rows(title)[1:] == wanted,
                    '%s to be %s, is %s' % (title, wanted[:2], window.rows(title)[1:3]))
    window.close()


def test_gui_follow_a_request(directory):
    recording = written(directory)
    window = session.Window(GUI, recording)
    window.await_text('Exits: ')
    window.key('ctrl+f')
    window.await_object('text', 'Find')
    window.type('backend scheduling')
    window.await_description('Who: request: backend scheduling')
    window.key('Escape')
    first = window.description()
    assert 'Request: 0 (front to dom0)' in first and 't0: 202.000 us (marked)' in first, first
    assert 'In all: 428.000 us' in first, first
    for stage in ('upcall', 'thread wake', 'service', 'return notify', 'frontend scheduling',
                  'front upcall'):
        window.key('bracketright')
        window.await_description('Who: request: ' + stage)
        assert 'Request: 0 ' in window.description()
    window.key('bracketleft')
    window.await_description('Who: request: frontend scheduling')
    # The next in the lane after a request's last stage is the next request's first.
    window.key('period', 'period')
    window.await_description('Request: 1 ')
    assert 'Who: request: notify' in window.description(), window.description()
    window.key('comma')
    window.await_description('Request: 0 ')
    # A row of the table goes to its request, and the table stays.
    window.key('alt+6')
    window.wait(lambda: len(window.rows('Requests')) == 25, 'all requests')
    window.key('Home', 'Down', 'Down', 'Return')
    window.await_description('Request: 2 ')
    assert len(window.rows('Requests')) == 25
    window.close()


def test_gui_export_shows_requests(directory):
    recording = written(directory)
    window = session.Window(GUI, recording)
    window.await_text('Exits: ')
    drag(window, 100, 200)
    target = os.path.join(directory, 'range.svg')
    window.key('ctrl+e')
    window.await_object('file chooser', 'Export')
    window.key('ctrl+a')
    window.type(target)
    window.key('Return')
    window.await_text('Written: ' + target)
    with open(target) as file:
        text = file.read()
    for wanted in ('lane-requests/front-dom0', 'lane-vcpu/hog/0', 'waiting', 'id="arrows"',
                   'Coverage: traced'):
        assert wanted in text, wanted
    arrows = text.split('id="arrows"')[1].split('</g>')[0]
    assert arrows.count('<path') >= 24, arrows
    window.close()


def test_gui_find_long_exits(directory):
    window = session.Window(GUI, written(directory))
    window.await_text('Exits: ')
    window.key('ctrl+f')
    window.await_object('text', 'Find')
    window.type('exit > 50us')
    window.await_description('Who: exit: WFI')
    window.wait(lambda: window.find('label', '1 of 24'), 'all of them')
    assert 'Duration: 224.000 us' in window.description(), window.description()
    assert 'vCPU: front/0' in window.description(), window.description()
    window.key('ctrl+a')
    window.type('waiting > 1ms')
    window.wait(lambda: window.find('label', 'nothing found'), 'none')
    window.key('ctrl+a')
    window.type('request 7')
    window.await_description('Text: request 7')
    window.close()


def test_gui_filters(directory):
    """A filter holds for picture and tables, is seen, and goes at a click."""
    window = session.Window(GUI, written(directory))
    window.await_text('Exits: ')
    left, top, _, _ = window.place()
    # Lanes: processors and two cores, domains, dom0 with vCPU and tasks, front likewise, hog.
    session.xdotool('mousemove', left + 100, top + RULER_PX + LANE_PX * 10 + 12, 'click', 1)
    window.key('ctrl+shift+p')
    window.await_object('dialog', 'Command palette')
    window.type('see only')
    window.key('Return')
    chip = window.await_object('push button', 'only hog')
    window.key('alt+3')
    window.wait(lambda: [r[0] for r in window.rows('Schedule')[1:]] == ['hog'],
                'only its rows')
    window.key('alt+6')
    window.wait(lambda: window.rows('Requests')[1:] == [], 'no request')
    chip.queryAction().doAction(0)
    window.wait(lambda: len(window.rows('Requests')) == 25, 'all requests')
    window.close()


def test_gui_two_recordings(directory):
    """Two recordings share the axis: what zooms one zooms the other."""
    first = written(directory)
    second = written(directory, '4', name='other.hvs')
    window = session.Window(GUI, first, '--compare', second)
    window.await_text('Exits: ')
    window.wait(lambda: len(window.charts()) == 2, 'two charts')
    window.wait(lambda: sorted(c.name for c in window.charts()) ==
                ['Timeline of other.hvs', 'Timeline of traffic.hvs'], 'their names')
    window.key('w', 'w')

    def same():
        shown = {c.description.split(', ')[0] for c in window.charts()}
        return len(shown) == 1 and 'Shows 0 ' not in shown.pop()
    window.wait(same, 'one axis')
    window.close()


def test_gui_recordings_that_lack_something(directory):
    cases = (
        (('2', 'cycles'), 'no timestamps'),
        (('2', 'bytes'), 'neither timestamps nor cycle counts'),
        (('64',), 'of 64 cores'),
    )
    for options, text in cases:
        window = session.Window(GUI, written(directory, *options))
        window.await_text('Exits: ')
        window.await_text(text)
        window.key('w', 'w', 's', 'd')
        assert window.alive()
        assert 'CRITICAL' not in window.close()
    window = session.Window(GUI, written(directory, '0'))
    window.await_text('has no core')
    window.key('w', 'd', 'alt+3', 'Home', 'Return')
    assert window.alive()
    assert 'CRITICAL' not in window.close()
    window = session.Window(GUI, written(directory, '2', 'timestamps', 'no-vcpus'))
    window.await_text('STM messages: 24')
    window.key('alt+3')
    window.await_text('does not tell them apart')
    window.key('alt+6')
    window.await_text('No request')
    assert 'CRITICAL' not in window.close()


def test_gui_full_disk(directory):
    window = session.Window(GUI, written(directory))
    window.await_text('Exits: ')
    target = os.path.join(directory, 'full.svg')
    os.symlink('/dev/full', target)
    window.key('ctrl+e')
    window.await_object('file chooser', 'Export')
    window.key('ctrl+a')
    window.type(target)
    window.key('Return')
    # It is there already, so the dialog asks first.
    replace = window.wait(lambda: window.find('push button', 'Replace'), 'the question')
    replace.queryAction().doAction(0)
    window.await_text('free some space')
    assert window.alive()
    window.close()


if __name__ == '__main__':
    session.main(globals())
