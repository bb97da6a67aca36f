#!/usr/bin/python3
"""hvscope-gui, driven by keyboard and pointer, and read over AT-SPI."""
import csv
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import session  # noqa: E402

LABELS_PX = 176  # the lanes' names, left of the chart
RULER_PX = 28
LANE_PX = 25
SOURCE = os.environ['HVSCOPE_SOURCE_ROOT']
BUILD = os.environ['HVSCOPE_BUILD_ROOT']
GUI = os.path.join(BUILD, 'gui/hvscope-gui')
HVSCOPE = os.path.join(BUILD, 'cli/hvscope')
SAMPLE = os.path.join(SOURCE, 'samples/overcommit')


def run(*arguments):
    return subprocess.run([HVSCOPE] + list(arguments), check=True, capture_output=True,
                          text=True).stdout


def decoded(directory):
    recording = os.path.join(directory, 'sample.hvs')
    run('decode', SAMPLE, '--system', os.path.join(SAMPLE, 'system.ini'), '-o', recording)
    return recording


def coverage(recording):
    """The line that every report ends with."""
    return run('report', 'time', recording).strip().split('\n')[-1]


def milliseconds(ns):
    """As durations are written: three decimals in the unit that suits."""
    for unit, size in (('s', 1000000000), ('ms', 1000000), ('us', 1000)):
        if ns >= size:
            return '%.3f %s' % ((ns + size // 2000) // (size // 1000) / 1000, unit)
    return '%d ns' % ns


def test_gui_numbers_equal_report(directory):
    recording = decoded(directory)
    window = session.Window(GUI, recording)
    window.await_description('Shows 0')
    report = json.loads(run('report', 'time', '--json', '--by', 'task', recording))
    for group in report['groups']:
        if group['time_ns'] > 0:
            window.await_text(milliseconds(group['time_ns']))
    window.await_text(coverage(recording))
    window.close()


def test_gui_zoom_select_follow(directory):
    recording = decoded(directory)
    window = session.Window(GUI, recording)
    left, top, width, _ = window.place()
    middle = left + LABELS_PX + (width - LABELS_PX) // 2
    lane = top + RULER_PX + LANE_PX + LANE_PX // 2  # the first processor
    session.xdotool('mousemove', middle, lane)
    before = window.description()
    for _ in range(12):
        window.key('w')
    zoomed = window.wait(lambda: window.description() != before and window.description(),
                         'a zoom')
    # By the wheel, at the pointer; then back by undo.
    session.xdotool('keydown', 'ctrl', 'click', 4, 'keyup', 'ctrl')
    window.wait(lambda: window.description() != zoomed, 'a zoom by the wheel')
    window.key('ctrl+z')
    window.await_description(zoomed)
    session.xdotool('click', 1)
    first = window.await_description('Start:')
    assert 'Trace byte:' in first and 'Where: cpu_0' in first, first
    window.key('period')
    second = window.wait(lambda: window.description() != first and window.description(),
                         'the next interval')
    window.key('comma')
    window.await_description(first)
    assert 'Where: cpu_0' in second, second
    window.key('f', 'f')
    window.key('r')
    window.await_description('Range selected: ' + first.split('Duration: ')[1].split('\n')[0])
    window.key('Escape')
    window.wait(lambda: 'Range selected' not in window.description(), 'nothing selected')
    window.close()


def clipped_sums(recording, from_ns, to_ns, path):
    """Time by domain and task of a range, from the CSV export of that range."""
    run('export', recording, '-f', 'csv', '-o', path, '--from', str(from_ns), '--to', str(to_ns),
        '--lanes', 'core/*')
    sums = {}
    with open(path, newline='') as file:
        for row in csv.DictReader(file):
            name = row['domain'] + (' / ' + row['task'] if row['task'] else '')
            sums[name] = sums.get(name, 0) + int(row['duration_ns'])
    return sums


def test_gui_range_sums(directory):
    recording = decoded(directory)
    window = session.Window(GUI, recording)
    left, top, width, _ = window.place()
    y = top + RULER_PX + LANE_PX * 2
    session.xdotool('mousemove', left + LABELS_PX + 100, y, 'mousedown', 1)
    session.xdotool('mousemove', left + LABELS_PX + 150, y)
    session.xdotool('mousemove', left + LABELS_PX + 220, y, 'mouseup', 1)
    window.await_description('Range selected')
    shown = window.wait(lambda: [t for t in window.texts().split('\n\n')
                                 for t in t.split('\n') if ' to ' in t], 'the range')
    lines = window.texts().split('\n')
    at = next(i for i, line in enumerate(lines) if line.startswith('Selected:'))
    first, last = lines[at + 1].split(' to ')
    assert shown
    scale = {'s': 10**9, 'ms': 10**6, 'us': 10**3, 'ns': 1}

    def nanoseconds(text):
        number, unit = text.split(' ')
        return round(float(number.replace(',', '')) * scale[unit])
    sums = clipped_sums(recording, nanoseconds(first), nanoseconds(last),
                        os.path.join(directory, 'range.csv'))
    assert len(sums) > 3, sums
    for name, time_ns in sums.items():
        if time_ns > 0:
            window.await_text(milliseconds(time_ns))
    window.close()


def test_gui_find_and_filter(directory):
    recording = decoded(directory)
    window = session.Window(GUI, recording)
    window.await_text('Exits: ')
    window.key('ctrl+f')
    window.await_object('text', 'Find')
    window.type('irq')
    window.wait(lambda: window.find('label', '1 of '), 'matches')
    window.await_description('exit: IRQ')
    window.key('Return')
    window.wait(lambda: window.find('label', '2 of '), 'the next match')
    window.key('ctrl+a')
    window.type('Xen > 8us')
    window.await_description('Who: Xen')
    window.key('ctrl+a')
    window.type('no such thing')
    window.wait(lambda: window.find('label', 'nothing found'), 'an honest answer')
    window.key('Escape')
    # The command palette: colour, then dark.
    window.key('ctrl+shift+p')
    window.await_object('dialog', 'Command palette')
    window.type('dark')
    window.key('Return')
    window.wait(lambda: not window.find('dialog', 'Command palette'), 'the palette to close')
    window.close()


def test_gui_export(directory):
    recording = decoded(directory)
    window = session.Window(GUI, recording)
    window.await_text('Exits: ')
    target = os.path.join(directory, 'shown.svg')
    window.key('ctrl+e')
    window.await_object('file chooser', 'Export')
    window.key('ctrl+a')
    window.type(target)
    window.key('Return')
    window.await_text('Written: ' + target)
    with open(target) as file:
        text = file.read()
    assert '<text' in text and 'lane-core/0' in text and coverage(recording) in text
    if shutil.which('xmllint'):
        subprocess.run(['xmllint', '--noout', target], check=True)
    window.close()


def test_gui_opens_a_capture(directory):
    capture = os.path.join(directory, 'capture')
    shutil.copytree(SAMPLE, capture)
    window = session.Window(GUI, capture)
    window.await_description('Shows 0')
    assert os.path.exists(capture + '.hvs')
    window.close()


def test_gui_bookmarks_stay(directory):
    recording = decoded(directory)
    window = session.Window(GUI, recording)
    window.key('ctrl+d')
    window.await_object('dialog', 'Bookmark')
    window.type('look here')
    window.key('Return')
    window.wait(lambda: not window.find('dialog', 'Bookmark'), 'the dialog to close')
    # The first processor goes below the second; a screen reader is told the lane.
    window.key('Down')
    window.await_description('Lane: cpu_0.')
    window.key('alt+Down', 'ctrl+w')
    window.wait(lambda: os.path.exists(recording + '.marks'), 'the side file')
    window.close()
    with open(recording + '.marks') as file:
        before = file.read()
    assert 'look here' in before and 'order2=core/0' in before, before
    # What was read is what is written again.
    window = session.Window(GUI, recording)
    window.await_text('Exits: ')
    window.key('ctrl+w')
    window.await_object('label', 'Open a recording')
    window.close()
    with open(recording + '.marks') as file:
        assert file.read() == before


def test_gui_faults(directory):
    """Not a recording, truncated, changed while open: a message, never a crash."""
    recording = decoded(directory)
    plain = os.path.join(directory, 'plain.hvs')
    with open(plain, 'w') as file:
        file.write('not a recording at all')
    window = session.Window(GUI, plain)
    window.await_text('is no hvscope recording')
    window.close()
    short = os.path.join(directory, 'short.hvs')
    shutil.copy(recording, short)
    os.truncate(short, 300000)
    window = session.Window(GUI, short)
    window.await_text('truncated')
    window.close()
    window = session.Window(GUI, recording)
    window.await_text('Exits: ')
    os.truncate(recording, 8192)
    session.xdotool('mousemove', window.place()[0] + 400, window.place()[1] + 70)
    for _ in range(16):
        window.key('w')
    session.xdotool('click', 1)
    window.wait(lambda: 'recording' in window.texts() or 'damaged' in window.texts() or
                'malformed' in window.texts() or 'disk image' in window.texts(),
                'a message about the damage')
    assert window.alive()
    os.unlink(recording)
    window.key('s', 's', 's')
    assert window.alive()
    window.close()


if __name__ == '__main__':
    session.main(globals())
