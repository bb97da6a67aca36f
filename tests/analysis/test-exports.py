#!/usr/bin/python3
"""hvscope export, read by other people's software."""
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

SOURCE = os.environ['HVSCOPE_SOURCE_ROOT']
HVSCOPE = os.path.join(os.environ['HVSCOPE_BUILD_ROOT'], 'cli/hvscope')
WRITE_TRAFFIC = os.path.join(os.environ['HVSCOPE_BUILD_ROOT'],
                             'tests/analysis/write-traffic-recording')
SAMPLE = os.path.join(SOURCE, 'samples/overcommit')


class Skip(Exception):
    pass


def tool(*arguments, **options):
    if not shutil.which(arguments[0]):
        raise Skip(arguments[0] + ' is not installed')
    return subprocess.run(arguments, check=True, capture_output=True, **options).stdout


def hvscope(*arguments):
    return subprocess.run((HVSCOPE,) + arguments, check=True, capture_output=True,
                          text=True).stdout


class Exports:
    def __init__(self, directory):
        self.directory = directory
        self.recording = os.path.join(directory, 'sample.hvs')
        hvscope('decode', SAMPLE, '--system', SAMPLE + '/system.ini', '-o', self.recording)
        self.report = json.loads(hvscope('report', 'time', '--json', '--by', 'task',
                                         self.recording))
        self.domain = next(g['domain'] for g in self.report['groups'] if g['class'] == 'guest')
        self.coverage = hvscope('report', 'time', self.recording).strip().split('\n')[-1]

    def write(self, form, *options):
        """Exports, and sees that exactly one file came."""
        before = set(os.listdir(self.directory))
        path = os.path.join(self.directory, 'out.' + form)
        if os.path.exists(path):
            os.unlink(path)
            before.discard('out.' + form)
        hvscope('export', self.recording, '--format', form, '-o', path, *options)
        assert set(os.listdir(self.directory)) - before == {'out.' + form}
        return path


def test_svg(exports):
    path = exports.write('svg')
    tool('xmllint', '--noout', path)
    tool('rsvg-convert', path, '-o', path + '.png')
    with open(path) as file:
        text = file.read()
    os.unlink(path + '.png')
    for lane in ('core/0', 'core/1', 'domain/' + exports.domain, 'exits', 'stm'):
        assert '<g id="lane-%s">' % lane in text, lane
    assert exports.coverage in text
    assert re.search('<rect [^>]*><title>[^<]*' + exports.domain, text)
    assert '>hypervisor<' in text or '>Xen<' in text


def test_pdf(exports):
    path = exports.write('pdf', '--from', '20ms', '--to', '30ms')
    text = tool('pdftotext', '-layout', path, '-').decode()
    for label in ('cpu_0', 'cpu_1', exports.domain, 'Exits', '24 ms', 'sample.hvs'):
        assert label in text, label
    assert exports.coverage in text
    tool('pdftoppm', '-r', '50', '-png', path, path)
    pages = [n for n in os.listdir(exports.directory) if n.startswith('out.pdf-')]
    assert len(pages) == 1
    os.unlink(os.path.join(exports.directory, pages[0]))


def test_png(exports):
    import struct
    sizes = []
    for scale in ('1', '2'):
        with open(exports.write('png', '--width', '900', '--scale', scale), 'rb') as file:
            head = file.read(24)
        assert head[:8] == b'\x89PNG\r\n\x1a\n'
        sizes.append(struct.unpack('>II', head[16:24]))
    assert sizes[0][0] == 900 and sizes[1] == (1800, sizes[0][1] * 2)


def test_csv(exports):
    with open(exports.write('csv', '--lanes', 'core/*'), newline='') as file:
        rows = list(csv.DictReader(file))
    sums = {}
    for row in rows:
        key = (row['domain'], row['task'] or None)
        sums[key] = sums.get(key, 0) + int(row['duration_ns'])
    for group in exports.report['groups']:
        if group['time_ns'] > 0:
            assert sums[(group['domain'], group['task'])] == group['time_ns'], group
    # Clipped at both ends: the two halves hold what the whole holds.
    halves = 0
    for options in (('--to', '100ms'), ('--from', '100ms')):
        with open(exports.write('csv', '--lanes', 'core/*', *options), newline='') as file:
            halves += sum(int(row['duration_ns']) for row in csv.DictReader(file))
    assert halves == sum(int(row['duration_ns']) for row in rows)


def test_chrome(exports):
    with open(exports.write('chrome')) as file:
        events = json.load(file)['traceEvents']
    spans = [e for e in events if e['ph'] == 'X' and e['pid'] == 1]
    assert {e['args']['name'] for e in events if e['ph'] == 'M'} >= {'cpu_0', 'cpu_1', 'Exits'}
    total_us = sum(e['dur'] for e in spans)
    assert abs(total_us - 2 * exports.report['window_ns'] / 1000) < 1, total_us
    for thread in (1, 2):
        at = 0.0
        for event in (e for e in spans if e['tid'] == thread):
            assert event['ts'] >= at - 1e-3
            at = event['ts'] + event['dur']


def packets(text):
    """protoc --decode_raw's packets as lists of (path, value)."""
    depth = []
    fields = []
    for line in io.StringIO(text):
        line = line.strip()
        if line.endswith('{'):
            depth.append(line.split()[0])
            if len(depth) == 1:
                fields = []
        elif line == '}':
            depth.pop()
            if not depth:
                yield fields
        else:
            name, value = line.split(': ', 1)
            fields.append(('.'.join(depth[1:] + [name]), value))


def test_perfetto(exports):
    with open(exports.write('perfetto', '--lanes', 'core/*'), 'rb') as file:
        text = tool('protoc', '--decode_raw', stdin=file).decode()
    open_at = {}
    last = {}
    tracks = {}
    slices = 0
    counters = 0
    for fields in packets(text):
        packet = dict(fields)
        if '60.1' in packet:
            # Without the schema, some names look like messages to protoc.
            tracks[packet['60.1']] = packet.get('60.2', '').strip('"')
        kind = packet.get('11.9')
        if kind is None:
            continue
        track, at = packet['11.11'], int(packet['8'])
        assert track in tracks, track
        counters += kind == '4'
        if kind == '1':
            assert not open_at.get(track), 'slices of one track overlap'
            assert at >= last.get(track, 0)
            open_at[track] = True
        elif kind == '2':
            assert open_at.pop(track), 'an end without a beginning'
            last[track] = at
            slices += 1
    assert not open_at
    assert 'cpu_0' in tracks.values() and counters > 0
    with open(exports.write('csv', '--lanes', 'core/*'), newline='') as file:
        assert slices == sum(1 for _ in csv.DictReader(file))


def put_traffic(exports):
    """A recording of requests; its own, as the sample has none."""
    path = os.path.join(exports.directory, 'traffic.hvs')
    if not os.path.exists(path):
        subprocess.run([WRITE_TRAFFIC, path], check=True)
    return path


def test_perfetto_requests(exports):
    """Stages are slices that do not overlap, linked by flows, and a counter counts requests."""
    path = os.path.join(exports.directory, 'requests.pftrace')
    hvscope('export', put_traffic(exports), '-f', 'perfetto', '-o', path)
    with open(path, 'rb') as file:
        text = tool('protoc', '--decode_raw', stdin=file).decode()
    names, open_at, flows, ended, values = {}, {}, {}, [], []
    for fields in packets(text):
        packet = dict(fields)
        if '60.1' in packet:
            names[packet['60.1']] = packet.get('60.2', '').strip('"')
        kind = packet.get('11.9')
        if kind is None:
            continue
        track, at = packet['11.11'], int(packet['8'])
        if kind == '1':
            assert open_at.get(track, (None, 0))[0] is None, 'slices overlap'
            assert at >= open_at.get(track, (None, 0))[1], 'slices go back'
            open_at[track] = (at, 0)
            for field in ('11.47', '11.48'):
                if field in packet:
                    flows.setdefault(packet[field], []).append(at)
            if '11.48' in packet:
                ended.append(packet['11.48'])
        elif kind == '2':
            assert open_at[track][0] is not None
            open_at[track] = (None, at)
        elif kind == '4' and names[track].endswith('in flight'):
            values.append(int(packet.get('11.30', 0)))
    assert all(start is None for start, _ in open_at.values())
    assert len(flows) == 24 and sorted(ended) == sorted(flows), (len(flows), len(ended))
    assert {len(f) for f in flows.values()} == {6, 8}
    assert values == [1, 0] * 24, values
    assert {'Requests front to dom0', 'front to dom0 1', 'hog vCPU 0'} <= set(names.values())


def test_chrome_items(exports):
    """Items of a track that overlap are on threads of their own."""
    path = os.path.join(exports.directory, 'requests.json')
    hvscope('export', put_traffic(exports), '-f', 'chrome', '-o', path)
    with open(path) as file:
        events = [e for e in json.load(file)['traceEvents'] if e['ph'] == 'X']
    assert {'waiting', 'service', 'WFI'} <= {e['name'] for e in events}
    for thread in {(e['pid'], e['tid']) for e in events}:
        at = 0.0
        for event in (e for e in events if (e['pid'], e['tid']) == thread):
            assert event['ts'] >= at - 1e-3, event
            at = event['ts'] + event['dur']
    waiting = sum(e['dur'] for e in events if e['name'] == 'waiting')
    assert abs(waiting - 24 * 400) < 1e-3, waiting


def test_svg_arrows(exports):
    path = os.path.join(exports.directory, 'requests.svg')
    hvscope('export', put_traffic(exports), '-f', 'svg', '-o', path, '--to', '3ms')
    tool('xmllint', '--noout', path)
    tool('rsvg-convert', path, '-o', path + '.png')
    with open(path) as file:
        text = file.read()
    # Three requests of four hops, each a line and a head of two.
    assert text.split('id="arrows"')[1].split('</g>')[0].count('<path') == 36
    for wanted in ('lane-vcpu/dom0/0', 'lane-requests/front-dom0', 'lane-exits/longest'):
        assert wanted in text, wanted


def test_refusals(exports):
    for arguments, word in ((('--format', 'gif'), 'gif'), (('-f', 'svg', '--lanes', 'nope'), 'nope'),
                            (('-f', 'svg', '--from', '1h'), '1h'),
                            (('-f', 'svg', '--from', '300ms'), 'nothing from')):
        path = os.path.join(exports.directory, 'refused')
        done = subprocess.run((HVSCOPE, 'export', exports.recording, '-o', path) + arguments,
                              capture_output=True, text=True)
        assert done.returncode in (1, 2) and word in done.stderr, done.stderr
        assert not os.path.exists(path)


def main():
    tests = [(name, fn) for name, fn in globals().items() if name.startswith('test_')]
    failed = 0
    print('1..%d' % len(tests))
    with tempfile.TemporaryDirectory(prefix='hvscope-export-') as directory:
        exports = Exports(directory)
        for number, (name, fn) in enumerate(tests, 1):
            name = 'analysis-export-' + name[len('test_'):]
            try:
                fn(exports)
                print('ok %d %s' % (number, name))
            except Skip as reason:
                print('ok %d %s # SKIP %s' % (number, name, reason))
            except Exception:
                failed += 1
                print('not ok %d %s' % (number, name))
                print('\n'.join('# ' + line for line in traceback.format_exc().split('\n')))
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
