#!/usr/bin/python3
"""What a desktop reads: texts for translators, the desktop file, the AppStream data."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ['HVSCOPE_SOURCE_ROOT']


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding='utf-8') as file:
        return file.read()


def test_gui_every_text_is_listed():
    """Each file with a text to translate is in po/POTFILES, and nothing else is. The debug
    panel's texts are terms of processors and kernels: its files may be there or not."""
    listed = set(read('po/POTFILES').split())
    found = set()
    for directory, _, names in os.walk(os.path.join(SOURCE, 'gui')):
        for name in names:
            path = os.path.relpath(os.path.join(directory, name), SOURCE)
            if name.endswith('.c') and re.search(r'\bN?_\(\s*"', read(path)):
                found.add(path)
            if name.endswith('.ui') and 'translatable="yes"' in read(path):
                found.add(path)
    debug = {path for path in found if path.startswith('gui/debug/')}
    assert listed | debug == found, sorted((listed | debug) ^ found)


def test_gui_texts_can_be_taken():
    if not shutil.which('xgettext'):
        return 'no xgettext'
    with tempfile.TemporaryDirectory() as directory:
        pot = os.path.join(directory, 'hvscope.pot')
        subprocess.run(['xgettext', '--from-code=UTF-8', '--keyword=_', '--keyword=N_', '-f',
                        'po/POTFILES', '-o', pot], cwd=SOURCE, check=True)
        with open(pot, encoding='utf-8') as file:
            texts = file.read()
        for text in ('Command palette', 'Open a recording', 'nothing found', 'Search lanes',
                     'Time by owner', 'Colour by exit reason'):
            assert text in texts, text
        subprocess.run(['msgfmt', '--check-format', '-o', os.devnull, pot], check=True)
    return None


def test_gui_desktop_data_is_sound():
    desktop = os.path.join(SOURCE, 'gui/data/org.hvscope.Gui.desktop')
    metainfo = os.path.join(SOURCE, 'gui/data/org.hvscope.Gui.metainfo.xml')
    tools = [t for t in ('desktop-file-validate', 'appstreamcli') if not shutil.which(t)]
    if tools:
        return 'missing: ' + ', '.join(tools)
    subprocess.run(['desktop-file-validate', desktop], check=True)
    subprocess.run(['appstreamcli', 'validate', '--no-net', metainfo], check=True,
                   stdout=sys.stderr)
    return None


def main():
    tests = [(name, fn) for name, fn in globals().items() if name.startswith('test_gui')]
    failed = 0
    print('1..%d' % len(tests))
    for number, (name, fn) in enumerate(tests, 1):
        try:
            skipped = fn()
            print('ok %d %s%s' % (number, name, ' # SKIP ' + skipped if skipped else ''))
        except (AssertionError, subprocess.CalledProcessError) as error:
            failed += 1
            print('not ok %d %s\n# %s' % (number, name, error))
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
